import { setTimeout as sleep } from 'node:timers/promises';
import { edit } from '../src/demo/versions.ts';
import { git } from '../src/host/git.rig.ts';
import { isFailed } from '../src/perf/ledger.ts';
import { headOnce } from './commands.ts';
import { acted, failures, headgate } from './from-sources.ts';
import { commit, deliver, type Hosts, handler, type OpenHosts } from './hosts.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage } from './stage.ts';

const apartMs = 5_000;

/** What merges lead to: who goes first, what is refused as older, what stops where, and that everything before it is untouched. */
export async function merges(report: Report, _scope: Scope, _open: OpenStage, openHosts: OpenHosts): Promise<void> {
  await using hosts = await openHosts('m');
  const first = await deliver(hosts.a);
  report.check('the first commit is released', first.code === 0, failures(first));
  await nothingChanged(report, hosts);
  await configAlone(report, hosts);
  await twoMerges(report, hosts);
  await olderLast(report, hosts);
  await stopsAtItsPlace(report, hosts);
  await goesBack(report, hosts);
}

const nothingMaxMs = 3_000;

async function nothingChanged(report: Report, { a, objects }: Hosts): Promise<void> {
  const before = await objects();
  const again = await deliver(a);
  report.check(
    'the same commit again exits 0 and executes nothing',
    again.code === 0 && acted(again) === '',
    acted(again),
  );
  report.check('in under 3 s', again.ms < nothingMaxMs, `${Math.round(again.ms)} ms`);
  const after = await objects();
  report.check(
    'what runs is what ran: nothing is touched',
    after === before,
    after === before ? '' : `${before}\n${after}`,
  );
}

async function configAlone(report: Report, { a, head }: Hosts): Promise<void> {
  const before = await head();
  await edit(a, {
    file: 'headgate.yaml',
    find: 'env: { PATH_PREFIX: /api }',
    replace: 'env: { PATH_PREFIX: /api, GREETING: hello }',
  });
  await commit(a, 'config alone');
  const ran = await deliver(a);
  const after = await head();
  const [old, now] = [before, after].map(({ live, lanes }) => live && lanes[live]);
  const isOther = old?.id !== now?.id && JSON.stringify(old?.digests) === JSON.stringify(now?.digests);
  report.check('a commit that changes only configuration becomes a release', ran.code === 0 && isOther, failures(ran));
  report.check('which alone is done', acted(ran) === 'check release', acted(ran));
}

/** The later merge has its images made already, so that it comes to its release while the earlier one has not ended its own. */
async function twoMerges(report: Report, { a, b, head }: Hosts): Promise<void> {
  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 100;', replace: 'const LIMIT_DEFAULT = 101;' });
  const earlier = await commit(a, 'the earlier');
  await git(b, 'pull', '--quiet');
  await edit(b, { file: handler, find: 'const LIMIT_DEFAULT = 101;', replace: 'const LIMIT_DEFAULT = 102;' });
  const later = await commit(b, 'the later');
  await headgate({ cwd: b }, 'run', 'images');
  const delivering = deliver(a);
  await sleep(apartMs);
  await underWay(head, earlier);
  const [one, two] = await Promise.all([delivering, deliver(b)]);
  const { history } = await head();
  const ends = history
    .slice(-2)
    .map(({ commit: of, outcome }) => `${of === earlier ? 'earlier' : of === later ? 'later' : of} ${outcome}`);
  report.check('of two merges 5 s apart the first ends', one.code === 0, `${one.code} ${failures(one)}`);
  report.check('and the second follows', two.code === 0, `${two.code} ${failures(two)}`);
  report.check('in their order', ends.join() === 'earlier promoted,later promoted', ends.join());
  const [former, latter] = history.slice(-2);
  const waited = former !== undefined && latter !== undefined && latter.startedAt >= former.endedAt;
  report.check('and of the two hosts one drives while the other waits', waited);
}

async function olderLast(report: Report, { a, b, head }: Hosts): Promise<void> {
  await git(a, 'pull', '--quiet', '--no-rebase', b, 'main');
  await edit(a, { file: handler, find: 'const LIMIT_DEFAULT = 102;', replace: 'const LIMIT_DEFAULT = 103;' });
  await commit(a, 'overtaken');
  await git(b, 'pull', '--quiet');
  await edit(b, { file: handler, find: 'const LIMIT_DEFAULT = 103;', replace: 'const LIMIT_DEFAULT = 104;' });
  const newer = await commit(b, 'overtakes');
  const overtaking = deliver(b);
  await underWay(head, newer);
  const [behind, ahead] = [await deliver(a), await overtaking];
  const { live, lanes } = await head();
  report.check('a newer commit overtakes', ahead.code === 0, failures(ahead));
  report.check('the older one that comes last exits 12', behind.code === 12, `${behind.code} ${failures(behind)}`);
  report.check('and the newer one stays live', live !== undefined && lanes[live]?.commit === newer);
  await git(a, 'pull', '--quiet', '--no-rebase', b, 'main');
}

/** From here on its release is the one before, however fast another host is. */
async function underWay(head: Hosts['head'], id: string): Promise<void> {
  await headOnce(head, ({ release }) => release?.revision.commit === id);
}

/** Each is broken on its own commit, which is taken back afterwards. */
async function stopsAtItsPlace(report: Report, { a, head }: Hosts): Promise<void> {
  const before = JSON.stringify(await head());
  const trials = [
    { what: 'a broken unit test', file: 'unit.test.js', find: '1 + 1', replace: '1 + 2', at: 'check', code: 1 },
    {
      what: 'a version that fails its image test',
      file: 'services/rating/src/main.ts',
      find: '  await serve(read.config, told.signal);',
      replace: '  throw new Error("broken");',
      at: 'imagetest:rating',
      code: 1,
    },
    {
      what: 'a registry that cannot be reached',
      file: handler,
      find: 'const LIMIT_DEFAULT = 104;',
      replace: 'const LIMIT_DEFAULT = 105;',
      at: 'publish',
      code: 69,
      env: { HEADGATE_REGISTRY: '127.0.0.1:1/ratings' },
    },
  ];
  for (const { what, file, find, replace, at, code, env } of trials) {
    await edit(a, { file, find, replace });
    await commit(a, what);
    const ran = await deliver(a, env === undefined ? {} : { env });
    await git(a, 'reset', '--quiet', '--hard', 'HEAD~1');
    const stopped = ran.events.filter(({ kind }) => kind === 'step.fail').map(({ step }) => step);
    const went = acted(ran)
      .split(' ')
      .some((step) => step === 'publish' || step === 'release');
    report.check(
      `${what} stops at ${at} with ${code}`,
      ran.code === code && stopped[0] === at && !went,
      `${ran.code} ${failures(ran)}`,
    );
  }
  report.check('and nothing live or on record has changed', JSON.stringify(await head()) === before);
}

/** What only a lane can show: the release goes back, and what was live stays it. */
async function goesBack(report: Report, { a, b, head, load }: Hosts): Promise<void> {
  const late = {
    file: 'services/rating/src/dispatch.ts',
    find: 'store: RatingRepository): Promise<Reply> {\n',
    replace:
      "store: RatingRepository): Promise<Reply> {\n  if (process.uptime() > 25 && store !== undefined) return refusalOf(500, [{ path: '', message: 'broken' }]);\n",
  };
  const canary = { file: 'headgate.yaml', find: 'strategy: blue-green, bake: 1s', replace: 'steps: [25%], bake: 90s' };
  const nowhere = {
    file: 'headgate.yaml',
    find: '    source: services/rating\n',
    replace: '    source: services/rating\n    env: { DATABASE_URL: postgres://nobody@127.0.0.1:1/none }\n',
  };
  const users = await load(50);
  for (const { what, edits } of [
    { what: 'a deployment that never gets ready', edits: [nowhere] },
    { what: 'a canary that fails', edits: [late, canary] },
  ]) {
    const before = await head();
    for (const one of edits) await edit(a, one);
    const id = await commit(a, what);
    const ran = await deliver(a);
    await git(a, 'reset', '--quiet', '--hard', 'HEAD~1');
    const { history, live } = await head();
    const last = history.at(-1);
    report.check(
      `${what} exits 11`,
      ran.code === 11 && last?.commit === id && last.outcome === 'rolledBack',
      `${ran.code} ${last?.text} ${failures(ran)}`,
    );
    report.check('and what was live stays it', live !== undefined && live === before.live);
    await comesBackNowhere(report, { b, id, release: last?.id });
  }
  const failed = (await users.stop()).filter(isFailed);
  const bad = new Set((await head()).quarantined.map(({ revision }) => revision));
  const others = failed.filter(({ revision }) => !bad.has(revision ?? 'none'));
  report.check(
    'and its users see no errors but those of the bad version',
    others.length === 0,
    `${failed.length} failed, ${others.length} of them elsewhere`,
  );
}

/** The same commit from another host, which makes its images anew: they are the same, and the journal knows them. */
async function comesBackNowhere(
  report: Report,
  { b, id, release }: { b: string; id: string; release: number | undefined },
): Promise<void> {
  await git(b, 'fetch', '--quiet', 'origin', id);
  await git(b, 'reset', '--quiet', '--hard', id);
  const again = await deliver(b);
  const named = new RegExp(`release ${release} rolled it back`).test(failures(again));
  report.check(
    'run again on another host it exits 11 and names the release',
    again.code === 11 && named,
    failures(again),
  );
}
