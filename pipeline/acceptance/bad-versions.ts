import { compare, isFailed, type Ledger, readRows } from '../src/perf/ledger.ts';
import type { Exchange } from '../src/perf/open-loop.ts';
import { releaseFirst } from './releasing.ts';
import { median, type Report } from './report.ts';
import { casesOf, type Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/** `weighted`: it passes the start checks and must be found out by users' requests, from 5 %. The others never get any weight. */
const kinds = [
  { name: 'answers 500', weighted: false },
  { name: 'never answers', weighted: false },
  { name: 'answers 500 after 15 s', weighted: true },
  { name: 'answers 404', weighted: true },
  { name: 'never answers after 15 s', weighted: true },
  { name: 'exits 10 s after it is ready', weighted: true },
  { name: 'never acks', weighted: true },
  { name: 'answers 500 after 15 s and ignores SIGTERM', weighted: true },
] as const;

const perSecond = 100;

/**
 * Bad versions from 5 % at 100 requests/s, each several times: all must be rolled back, nothing may be lost, nobody but the
 * bad version may fail, and on a cluster live's objects stay as they are. It prints what an outside client saw.
 */
export async function badVersions(report: Report, { runs, share }: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  steps: [5%, 25%, 50%]\n  bake: 3m\n  watch: 10s\n  keepWarm: 1m\n');
  await releaseFirst(stage, report);
  for (const kind of casesOf(kinds, share)) await oneKind(stage, kind, runs, report);
}

async function oneKind(stage: Stage, kind: (typeof kinds)[number], runs: number, report: Report): Promise<void> {
  const seen: Run[] = [];
  for (let run = 0; run < runs; run++) seen.push(await oneRun(stage, kind));
  const problems = seen.flatMap((run) => run.problems);
  const back = seen.filter(({ rolledBack }) => rolledBack).length;
  report.check(
    `${kind.name}: rolled back in ${back} of ${runs} runs`,
    back === runs && problems.length === 0,
    problems.slice(0, 3).join('; '),
  );
  const figures = seen.flatMap(({ figure }) => figure ?? []);
  if (figures.length === 0) return; // No user met it.
  const ms = figures.map((figure) => figure.ms);
  const failed = figures.map((figure) => figure.failed);
  report.say(
    `first failed request to confirmed weight 0: median ${median(ms)} ms, worst ${Math.max(...ms)} ms; failed requests: median ${median(failed)}, worst ${Math.max(...failed)}`,
  );
}

type Run = {
  readonly rolledBack: boolean;
  readonly problems: readonly string[];
  readonly figure: { readonly ms: number; readonly failed: number } | undefined;
};

async function oneRun(stage: Stage, { name, weighted }: (typeof kinds)[number]): Promise<Run> {
  const { live = '' } = await stage.head();
  const before = await stage.objects?.(live);
  const load = stage.load(perSecond);
  const { code, out, err } = await stage.release(name, '--insist');
  const exchanges = await load.stop();
  const head = await stage.head();
  const decisions = head.decisions.filter(({ release }) => release === head.release?.id);
  const gotWeight = decisions.some(({ after }) => after.phase.kind === 'settling');
  const ledger = compare(exchanges, await readRows(stage.origin, AbortSignal.timeout(30_000), stage.headers));
  const problems = [
    ...(code === 11 ? [] : [`exit code ${code}: ${out.slice(-300)} ${err.slice(-300)}`]),
    ...(before === (await stage.objects?.(live)) ? [] : ['live was touched']),
    ...(gotWeight === weighted ? [] : [`it ${gotWeight ? 'got' : 'never got'} weight`]),
    ...ledgerProblems(ledger),
    ...failuresOfOthers(exchanges, head.release?.revision.id),
  ];
  const failures = exchanges.filter(isFailed);
  const firstBad = Math.min(...failures.map(({ at }) => at));
  const closed = decisions.findLast(
    ({ after }) => after.phase.kind === 'rollingBack' && after.phase.stage === 'fencing',
  );
  const figure =
    closed === undefined || failures.length === 0
      ? undefined
      : { ms: Math.round(closed.look.now - firstBad), failed: failures.length };
  return { rolledBack: code === 11, problems, figure };
}

function ledgerProblems({ lost, doubled, unanswered }: Ledger): readonly string[] {
  const counts = { lost: lost.length, 'done twice': doubled.length, unanswered: unanswered.length };
  return Object.entries(counts).flatMap(([words, count]) => (count === 0 ? [] : [`${count} ${words}`]));
}

/** An error is the bad version's own only if the mark of the answer says so; of all others there must be none. */
function failuresOfOthers(exchanges: readonly Exchange[], bad: string | undefined): readonly string[] {
  const others = exchanges.filter((one) => isFailed(one) && one.status !== undefined && one.revision !== bad);
  const [first] = others;
  if (first === undefined) return [];
  const begun = Math.min(...exchanges.map(({ at }) => at));
  const told = others
    .slice(0, 5)
    .map(({ method, at, ms, status }) => `${method} ${status} at ${at - begun} ms after ${Math.round(ms)} ms`);
  return [`${others.length} failed by ${first.revision?.slice(0, 8) ?? 'nobody'}: ${told.join(', ')}`];
}
