import { compare, readRows } from '../src/perf/ledger.ts';
import { median, type Report } from './report.ts';
import { openStage, type Stage } from './stage.ts';

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
 * Bad versions from 5 % at 100 requests/s, each several times: all must be rolled back, nothing may be lost, and nobody but the
 * bad version may fail. It prints what an outside client saw.
 */
export async function badVersions(report: Report, runs: number): Promise<void> {
  await using stage = await openStage('  steps: [5%, 25%, 50%]\n  bake: 3m\n  watch: 10s\n  keepWarm: 1m\n');
  const first = await stage.release('v1');
  report.check('the first release is promoted', first.code === 0, first.err.trim());
  for (const kind of kinds) await oneKind(stage, kind, runs, report);
}

async function oneKind(
  stage: Stage,
  { name, weighted }: (typeof kinds)[number],
  runs: number,
  report: Report,
): Promise<void> {
  const figures: { readonly ms: number; readonly failed: number }[] = [];
  let back = 0;
  const problems: string[] = [];
  for (let run = 0; run < runs; run++) {
    const load = stage.load(perSecond);
    const { code, out, err } = await stage.release(name, '--insist');
    const exchanges = await load.stop();
    const head = await stage.head();
    const bad = head.release?.revision.id ?? '';
    const ledger = compare(exchanges, await readRows(stage.info.urls.http, AbortSignal.timeout(30_000)));
    if (code === 11) back++;
    else problems.push(`exit code ${code}: ${out.slice(-300)} ${err.slice(-300)}`);
    const others = Object.entries(ledger.failedBy).filter(([revision]) => revision !== bad && revision !== 'none');
    const unmarked = ledger.failedBy['none'] ?? 0;
    if (ledger.lost.length + ledger.doubled.length > 0)
      problems.push(`${ledger.lost.length} lost, ${ledger.doubled.length} doubled`);
    if (ledger.unanswered.length > 0) problems.push(`${ledger.unanswered.length} unanswered`);
    if (others.length > 0) problems.push(`others failed: ${JSON.stringify(others)}`);
    if (unmarked > 0) problems.push(`${unmarked} failures without a mark`);
    const gotWeight = head.decisions.some(
      ({ release, after }) => release === head.release?.id && after.phase.kind === 'settling',
    );
    if (gotWeight !== weighted) problems.push(`it ${gotWeight ? 'got' : 'never got'} weight`);
    const failures = exchanges.filter(({ status }) => status === undefined || status >= 400);
    const firstBad = Math.min(...failures.map(({ at }) => at));
    const closed = head.decisions.findLast(
      ({ after, release }) =>
        release === head.release?.id && after.phase.kind === 'rollingBack' && after.phase.stage === 'fencing',
    );
    if (closed !== undefined && failures.length > 0)
      figures.push({ ms: closed.look.now - firstBad, failed: failures.length });
  }
  report.check(
    `${name}: rolled back in ${back} of ${runs} runs`,
    back === runs && problems.length === 0,
    problems.slice(0, 3).join('; '),
  );
  if (figures.length === 0) return; // No user met it.
  const ms = figures.map((figure) => figure.ms);
  const failed = figures.map((figure) => figure.failed);
  report.say(
    `first failed request to confirmed weight 0: median ${median(ms)} ms, worst ${Math.max(...ms)} ms; failed requests: median ${median(failed)}, worst ${Math.max(...failed)}`,
  );
}
