import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';

const usersPerSec = 1;

/** One request of a user a second: the same synthetic requests to both lanes, through the router, decide in minutes what would take hours. */
export async function littleTraffic(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open(
    '  bake: 15s\n  watch: 10s\n  keepWarm: 1m\n  deadline: 10m\n  tolerate: relaxed\n  latency: rollback\n' +
      '  synthetic: { requests: ["/api/ratings?limit=1", /api/services], perSecond: 50 }\n',
  );
  const first = await stage.release('v1');
  report.check('v1 is live', first.code === 0, first.err.trim());
  const load = stage.load(usersPerSec);
  const good = await stage.release('v2');
  report.check('v2 is promoted before the deadline', good.code === 0, `${good.out} ${good.err}`);
  report.check(
    'it was told how long users alone would have taken',
    /the deadline is sooner/.test(good.out),
    `${good.out} ${good.err}`,
  );
  const bad = await stage.release('answers 404');
  const { history } = await stage.head();
  const text = history.at(-1)?.text ?? '';
  report.check(
    'a version that answers them with 404 is rolled back',
    bad.code === 11 && /synthetic requests worse|refuses more/.test(text),
    `${text} ${bad.out} ${bad.err}`,
  );
  report.say(text);
  await load.stop();
}
