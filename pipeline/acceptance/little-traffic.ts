import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';

const usersPerSec = 1;
/** By then some of their requests have been counted, and whether they are too few is not known before half a minute. */
const countedMs = 10_000;

/** One request of a user a second: the same synthetic requests to both lanes, through the router, decide in minutes what would take hours. */
export async function littleTraffic(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open(
    '  bake: 15s\n  watch: 10s\n  keepWarm: 1m\n  deadline: 10m\n  tolerate: relaxed\n  latency: rollback\n' +
      '  synthetic: { requests: ["/api/ratings?limit=1", /api/services], perSecond: 50 }\n',
  );
  const first = await stage.release('v1');
  report.check('v1 is live', first.code === 0, first.err.trim());
  const load = stage.load(usersPerSec);
  const releasing = stage.release('v2');
  await stage.until(({ release }) => release?.id === 2 && release.state.phase.kind === 'holding');
  await sleep(countedMs);
  const { out } = await stage.run('status');
  report.check('the person on call is told how long users alone would take', /the deadline is sooner/.test(out), out);
  const good = await releasing;
  report.check('v2 is promoted before the deadline', good.code === 0, `${good.out} ${good.err}`);
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
