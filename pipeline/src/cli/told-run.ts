/** Whoever hears of a run: its reporters while it runs; a host, a commit and a webhook when it has ended. */
import { join } from 'node:path';
import type { Target } from '../deploy/delivery.ts';
import type { CiHost } from '../host/host.ts';
import { sentenceOf } from '../report/ending.ts';
import { filesReporter } from '../report/files.ts';
import { jsonReporter } from '../report/json.ts';
import { type RunRecord, recordReporter } from '../report/record.ts';
import { type EndedRelease, tellRelease } from '../report/release.ts';
import { summaryOf } from '../report/summary.ts';
import type { RunResult } from '../run.ts';
import { endOf, readBefore, tell } from './ending.ts';
import type { App } from './open.ts';
import type { Shell } from './shell.ts';

export type EndedRun = {
  readonly target: Target;
  /** By which the commit knows it: a later one of this name takes the place of an earlier one. */
  readonly what: string;
  /** `undefined`: it never began. */
  readonly record: RunRecord | undefined;
  readonly result: RunResult;
  readonly ended: readonly EndedRelease[];
  /** A release that was handed over. */
  readonly begun: number | undefined;
};

type Teller = { readonly app: App; readonly host: CiHost; readonly shell: Shell };

/** For the person or the host, for files, and for what is told in the end: `record()` has all of it then. */
export function reportersOf({ app, host, shell }: Teller, { target, json }: { target: Target; json: boolean }) {
  let record: RunRecord | undefined;
  const reporters = [
    json ? jsonReporter(shell.out) : host.reporter(),
    filesReporter(join(app.folder, 'out'), junitName(target, { app, host })),
    recordReporter((whole) => {
      record = whole;
    }),
  ];
  return { reporters, record: () => record };
}

/** A build of Jenkins has a run for each stage, and reads the reports of all at its end; elsewhere a job has one. */
function junitName(target: Target, { app: { environment }, host: { kind } }: Pick<Teller, 'app' | 'host'>): string {
  const own = kind === 'jenkins' ? [target, ...(environment === undefined ? [] : [environment])] : [];
  return ['pipeline', ...own].join('-');
}

/** Tells jobs that follow of a release that is handed over, at once: whoever is killed later than that has left it to them. */
export async function tellBegun(release: number, { host, shell }: Teller): Promise<void> {
  await host
    .output({ release: String(release) })
    .catch((error: unknown) => shell.err(`Release ${release} could not be told to ${host.kind}: ${String(error)}\n`));
}

/** Tells all who asked to hear of it. */
export async function tellRun(run: EndedRun, teller: Teller): Promise<void> {
  const before = readBefore(teller.shell);
  await tellHost(run, teller, before);
  await tellOthers(run, teller, before);
}

/** What the host shows of it, and jobs that follow read. A host that takes no report changes nothing about the run. */
async function tellHost(
  { target, record, result, ended, begun }: EndedRun,
  { app, host, shell }: Teller,
  before: AbortSignal,
): Promise<void> {
  const { run: id, exitCode, steps } = result;
  const isSuperseded = Object.values(steps).some(({ kind }) => kind === 'skipped'); // No other step of a delivery is.
  const outcome = isSuperseded ? 'superseded' : result.outcome;
  try {
    if (record !== undefined) await host.summarize(summaryOf(record));
    const release = begun === undefined ? {} : { release: String(begun) }; // Once more: `tellBegun` may have failed.
    await host.output({ run: id, target, outcome, 'exit-code': String(exitCode), ...release });
    // Last: a journal may be out of reach, and jobs that follow need the rest.
    const place = { host, root: app.folder, app: app.spec.app, env: shell.env };
    for (const one of ended) await tellRelease(one, place, before);
  } catch (error) {
    shell.err(`The run has ended, and could not be told to ${host.kind}: ${String(error)}\n`);
  }
}

/** Tells the commit, and the webhook of what no driver tells it. */
async function tellOthers(
  { what, record, result, ended, begun }: EndedRun,
  { app, host, shell }: Teller,
  before: AbortSignal,
): Promise<void> {
  if (record === undefined) return;
  const { exitCode } = result;
  const ends = await Promise.all(ended.map((one) => endOf(one, app, before).catch(() => undefined)));
  const last = ended.findIndex((one) => one.environment === undefined);
  const text = ends[last]?.text ?? sentenceOf(record); // The better sentence.
  const commit = record.dirty ? undefined : record.commit; // What is not committed says nothing of a commit.
  const driven = ends.filter((end) => end !== undefined && !end.isRolling);
  const byDriver = exitCode === 0 ? driven.length > 0 : driven.some((end) => end?.failure);
  const release = ended[last]?.release;
  await tell({ what, exitCode, text, commit, release, byDriver }, app, { host, shell });
  if (begun === undefined) return;
  const underWay = { what: 'release', exitCode: 4, text: `release ${begun} is under way`, commit, release: begun };
  await tell({ ...underWay, byDriver: true }, app, { host, shell });
}
