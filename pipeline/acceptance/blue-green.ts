import { compare, readRows } from '../src/perf/ledger.ts';
import type { Report } from './report.ts';
import { openStage, type Stage } from './stage.ts';

/** Blue/green: a synthetic comparison at weight 0, then 100 at once, then the watch, which goes back by itself. */
export async function blueGreen(report: Report): Promise<void> {
  await using stage = await openStage('  strategy: blue-green\n  bake: 2s\n  watch: 30s\n  keepWarm: 5m\n');
  const first = await stage.release('v1');
  report.check('the first release is promoted', first.code === 0, first.err.trim());
  const load = stage.load(200);
  await trial(stage, report, { version: 'v2', phases: 'comparing promoting watching promoted', code: 0 });
  await trial(stage, report, { version: 'answers 404', phases: 'comparing rollingBack rolledBack', code: 11 });
  await trial(stage, report, {
    version: 'answers 500 after 25 s',
    phases: 'comparing promoting watching returning rollingBack rolledBack',
    code: 11,
  });
  const exchanges = await load.stop();
  const ledger = compare(exchanges, await readRows(stage.info.urls.http, AbortSignal.timeout(30_000)));
  const bad = (await stage.head()).release?.revision.id ?? '';
  const others = Object.entries(ledger.failedBy).filter(([revision]) => revision !== bad);
  report.check(
    'POST 2xx and rows are one to one',
    ledger.lost.length + ledger.doubled.length === 0,
    `${ledger.posts} POST`,
  );
  report.check('every request is answered', ledger.unanswered.length === 0, `${ledger.requests} requests`);
  report.check('nobody but the version that got traffic and failed fails', others.length === 0, JSON.stringify(others));
  report.say(`${ledger.failedBy[bad] ?? 0} requests failed before the watch had gone back`);
}

async function trial(
  stage: Stage,
  report: Report,
  { version, phases, code }: { readonly version: string; readonly phases: string; readonly code: number },
): Promise<void> {
  const ran = await stage.release(version);
  const { decisions, release } = await stage.head();
  const seen = decisions.filter((one) => one.release === release?.id).map(({ after }) => after.phase.kind);
  const told = seen.filter((kind, i) => kind !== seen[i - 1]).join(' ');
  const right = ran.code === code && told.endsWith(phases);
  report.check(
    `${version}: ${phases}`,
    right,
    right ? '' : `exit code ${ran.code}, phases ${told} ${ran.out} ${ran.err}`,
  );
}
