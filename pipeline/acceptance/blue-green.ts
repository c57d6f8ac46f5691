import { checkOutside } from './outside.ts';
import { releaseFirst } from './releasing.ts';
import type { Report } from './report.ts';
import type { Scope } from './scope.ts';
import type { OpenStage, Stage } from './stage.ts';

/** Blue/green: a synthetic comparison at weight 0, then 100 at once, then the watch, which goes back by itself. */
export async function blueGreen(report: Report, _scope: Scope, open: OpenStage): Promise<void> {
  await using stage = await open('  strategy: blue-green\n  bake: 2s\n  watch: 30s\n  keepWarm: 5m\n');
  await releaseFirst(stage, report);
  const load = stage.load(200);
  await trial(stage, report, { version: 'v2', phases: 'comparing promoting watching promoted', code: 0 });
  await trial(stage, report, { version: 'answers 404', phases: 'comparing rollingBack rolledBack', code: 11 });
  await trial(stage, report, {
    version: 'answers 500 after 25 s',
    phases: 'comparing promoting watching returning rollingBack rolledBack',
    code: 11,
  });
  const bad = (await stage.head()).release?.revision.id ?? ''; // The other one never got a request of a user.
  const ledger = await checkOutside({ ...stage, load, mayFail: () => [bad] }, report);
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
