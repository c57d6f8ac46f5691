import { setTimeout as sleep } from 'node:timers/promises';
import { userRequest } from '../src/perf/ledger.ts';
import { type Exchange, type Load, startLoad } from '../src/perf/open-loop.ts';
import type { Running } from './commands.ts';
import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/** An A/B test: whoever is pinned reaches the candidate and nobody else does, by hand and by itself it ends, and a person promotes. */
export async function ab(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open(
    '  strategy: ab\n  pins: [X-Variant=b, cookie variant=b]\n  watch: 5s\n  keepWarm: 5m\n  deadline: 1h\n',
  );
  await releaseFirst(stage, report);
  const load = stage.load(80);
  await goodTest(stage, report);
  await badTest(stage, report);
  await checkOutside({ ...stage, load, mayFail: () => [] }, report);
}

/** Switched off and on by hand, then promoted by hand. */
async function goodTest(stage: Stage, report: Report): Promise<void> {
  const { testing, candidate } = await begin(stage, 'v2');
  const [header, cookie] = [pinned(stage, { 'x-variant': 'b' }), pinned(stage, { cookie: 'theme=dark; variant=b' })];
  await sleep(10_000);
  report.say((await stage.run('status')).out.trim().replaceAll('\n', '\n  '));

  const asked = Date.now();
  const off = await stage.run('unpin', 'X-Variant=b', '--reason', 'acceptance: the kill switch');
  const offAt = Date.now();
  report.check('unpin is confirmed', off.code === 0 && off.out.includes('leads nowhere'), off.out + off.err);
  report.say(`${offAt - asked} ms from the command to its end`);
  await sleep(2_000);
  const onAsked = Date.now();
  const on = await stage.run('pin', 'X-Variant=b', '--to', 'candidate', '--reason', 'acceptance: on again');
  const onAt = Date.now();
  report.check('pin is confirmed', on.code === 0, on.out + on.err);
  await sleep(2_000);

  const [byHeader, byCookie] = [await header.stop(), await cookie.stop()];
  check(report, 'all by cookie reach the candidate', byCookie, ({ lane }) => lane === candidate);
  check(report, 'by header all do while the pin is on, and none while it is off', byHeader, ({ at, lane }) => {
    if (at < asked || at > onAt) return lane === candidate;
    return at < offAt || at > onAsked || lane !== candidate;
  });
  await others(stage, report, candidate);
  const { release } = await stage.head();
  report.check('it does not promote by itself', release?.state.phase.kind === 'holding');
  await stage.run('promote', '--reason', 'acceptance: b wins');
  report.check('a person promotes', (await testing.ended).code === 0);
  const after = await stage.head();
  report.check('and the pins of the test are gone', after.release?.state.pins.length === 0);
}

async function badTest(stage: Stage, report: Report): Promise<void> {
  const { testing, candidate } = await begin(stage, 'answers 500 after 15 s');
  const users = pinned(stage, { 'x-variant': 'b' });
  const { code, out } = await testing.ended;
  await sleep(1_000);
  const seen = await users.stop();
  const failed = seen.filter(({ status = 0 }) => status >= 500);
  report.check('a bad one is rolled back by itself', code === 11, out.slice(-300));
  check(report, 'its failures carry its mark', failed, ({ lane }) => lane === candidate);
  const [head, tail] = [failed[0]?.at ?? 0, failed.at(-1)?.at ?? 0];
  report.say(`${failed.length} of those who were pinned saw a failure, for ${((tail - head) / 1_000).toFixed(1)} s`);
  report.say((await stage.run('status')).out.trim().replaceAll('\n', '\n  '));
}

async function begin(stage: Stage, version: string): Promise<{ testing: Running; candidate: string }> {
  const testing = stage.start('release', ...(await stage.images(version)), '--reason', `acceptance: ${version}`);
  const { release } = await stage.until(
    (head) => head.release?.reason === `acceptance: ${version}` && head.release.state.phase.kind === 'holding',
  );
  return { testing, candidate: release?.candidate ?? '' };
}

/** Users who are in the test. They only read: what is written is counted by those who are not. */
function pinned({ origin, headers }: Stage, marker: Readonly<Record<string, string>>): Load {
  return startLoad({ origin, headers: { ...headers, ...marker }, perSecond: 20, make: (_, id) => userRequest(0, id) });
}

/** Nobody else meets the candidate. */
async function others(stage: Stage, report: Report, candidate: string): Promise<void> {
  const unmarked = startLoad({ ...stage, perSecond: 100, make: (_, id) => userRequest(0, id) });
  const almost = startLoad({
    ...stage,
    headers: { ...stage.headers, 'x-variant': 'bb', cookie: 'my-variant=b; variant=bb' },
    perSecond: 20,
    make: (_, id) => userRequest(0, id),
  });
  await sleep(5_000);
  const seen = [...(await unmarked.stop()), ...(await almost.stop())];
  check(report, 'who is not pinned never reaches the candidate', seen, ({ lane }) => lane !== candidate);
}

function check(report: Report, words: string, all: readonly Exchange[], holds: (one: Exchange) => boolean): void {
  const wrong = all.filter((one) => !holds(one) || one.status === undefined);
  report.check(words, all.length > 0 && wrong.length === 0, `${all.length} requests, ${wrong.length} otherwise`);
}
