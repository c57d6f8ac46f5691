import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepCache } from './cache/cache.ts';
import { openFolderCache } from './cache/folder.ts';
import type { Outcome, RunEvent } from './event.ts';
import type { Change } from './host/host.ts';
import type { JournalCopy } from './journal/copy.ts';
import { isUnfinished, RunJournal } from './journal/journal.ts';
import { readOwn, runIdOf } from './journal/runs.ts';
import { Teller } from './journal/teller.ts';
import { fetchTold, isOnRecord, readTold } from './journal/told.ts';
import { joined, lastOf, turnsIn } from './journal/turns.ts';
import type { Pipeline } from './pipeline.ts';
import { chosen, type Part } from './plan/graph.ts';
import type { Reporter } from './report/report.ts';
import type { Needs } from './run/attempt.ts';
import { usableCores } from './run/cores.ts';
import type { Environment } from './run/environment.ts';
import { executeStep } from './run/execute.ts';
import { redactor } from './run/redact.ts';
import { emitter, type Given, logFile, logsFolder, type Session, type StepResult } from './run/session.ts';
import { Slots } from './run/slots.ts';
import { clearDeadWork, workFolder } from './run/work.ts';
import { Workspace } from './run/workspace.ts';
import type { Step } from './step.ts';

export type { StepResult } from './run/session.ts';

/**
 * `from`: what this step needs must be there already, by the cache or by looking, and is not done; it and all that `targets` bring along besides are.
 * `only`: the same, and it alone is done.
 */
export type RunOptions = Part & {
  /** Absolute folder of the workspace. Notes go to `.headgate` in it, logs to `out/logs`. */
  readonly root: string;
  readonly change: Change;
  /** Where the CI host shows this run; what is cached of it keeps that. */
  readonly url?: string | undefined;
  readonly env: Environment;
  /** By name. They are hidden in every text that leaves the run, and no command sees them unless a step hands one over. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Ids of steps, which bring along what they need. All unless given. */
  readonly targets?: readonly string[];
  /** `auto`: goes on with the run of the same identity and takes results from the cache. `false`: executes everything anew. */
  readonly resume?: 'auto' | false;
  /** True: after a failure, whatever does not need the failed step still runs. */
  readonly keepGoing?: boolean;
  /** Steps at a time; the number of cores that this process may use unless given. */
  readonly concurrency?: number;
  /** The folder `.headgate/cache` unless given. */
  readonly cache?: StepCache;
  /** Where other machines find what this one did in the run, and this one what they did. Nowhere unless given. */
  readonly copy?: JournalCopy | undefined;
  readonly reporters?: readonly Reporter[];
  /** Aborted: nothing new begins, process groups are ended, the journal says `run.interrupted`; the next run goes on. */
  readonly signal: AbortSignal;
};

export type RunResult = {
  readonly run: string;
  readonly outcome: Outcome;
  /** 0; the first failed step's; 130 if interrupted. */
  readonly exitCode: number;
  /** By id, in the order of the pipeline. */
  readonly steps: Readonly<Record<string, StepResult>>;
};

const interruptedExitCode = 130;

/**
 * Runs a pipeline. A step that fails is a result, never a throw.
 * @throws {HeadgateError} `USAGE` for an unknown target or a secret too short, `JOURNAL_UNWRITABLE`, `JOURNAL_UNREADABLE`
 */
export async function run(pipeline: Pipeline, options: RunOptions): Promise<RunResult> {
  const begun = performance.now();
  const { steps, taken } = chosen(pipeline.steps, options.targets ?? pipeline.steps.map(({ id }) => id), options);
  const redact = redactor(options.secrets ?? {});
  const state = join(options.root, '.headgate');
  const id = runId(pipeline, options);
  const folder = join(state, 'runs', id);
  const told = await readOthers(folder, id, options);
  using journal = new RunJournal(folder);
  const before = joined(journal.before as readonly RunEvent[], told); // Ours; who reads passes over kinds that he does not know.
  const resumed = isUnfinished(before);
  await using teller = tellerOf({ folder, id, resumed }, options);
  const emit = emitter(redact, journal, [...(options.reporters ?? []), ...(teller === undefined ? [] : [teller])]);
  const memory = join(state, 'fingerprints.json');
  const session: Session = {
    run: id,
    change: options.change,
    url: options.url,
    workspace: await Workspace.open(options.root, memory),
    cache: options.cache ?? openFolderCache(join(state, 'cache')),
    readCache: options.resume !== false,
    taken,
    code: pipeline.code,
    env: options.env,
    secrets: options.secrets ?? {},
    redact,
    emit,
    before,
    folders: { logs: logsFolder(options.root), work: workFolder(join(state, 'work'), id) },
    signal: options.signal,
  };
  await clearDeadWork(join(state, 'work'));
  const { commit, dirty, actor } = options.change;
  const start = { run: id, pipeline: pipeline.name, commit, dirty, actor, resumed, steps: steps.map(idOf) };
  emit({ kind: 'run.start', ...start, attempt: turnsIn(before).length + 1, last: lastOf(before) });
  try {
    const results = await executeAll(steps, session, options);
    const ended = conclude(steps, results, options.signal);
    emit({ kind: 'run.end', outcome: ended.outcome, ms: performance.now() - begun });
    return { run: id, ...ended };
  } finally {
    await rm(session.folders.work, { recursive: true, force: true });
    await session.workspace.save(memory).catch((error) => {
      emit({ kind: 'warning', message: `fingerprints of files could not be kept: ${String(error)}` });
    });
    for (const reporter of options.reporters ?? []) reporter.close();
  }
}

/** What other machines told of this run, where this one has nothing of it. */
async function readOthers(folder: string, run: string, { copy, signal }: RunOptions): Promise<readonly RunEvent[]> {
  if (copy !== undefined && !(await isOnRecord(folder))) await fetchTold({ folder, run }, copy, signal);
  return readTold(folder);
}

function tellerOf(
  { folder, id: run, resumed }: { readonly folder: string; readonly id: string; readonly resumed: boolean },
  { root, copy }: RunOptions,
): Teller | undefined {
  if (copy === undefined) return undefined;
  const logOf = (step: string) => logFile({ folders: { logs: logsFolder(root) } }, step);
  return new Teller({ run, copy, read: () => readOwn(folder), logOf, resumed });
}

function runId({ name, config }: Pipeline, { change: { commit }, resume }: RunOptions): string {
  return runIdOf({ name, config, commit, fresh: resume === false ? randomUUID() : undefined });
}

/** Every step begins when its needs are there and a slot is free. Steps come after their needs, so each finds theirs begun. */
async function executeAll(steps: readonly Step[], session: Session, options: RunOptions): Promise<StepResults> {
  const slots = new Slots(options.concurrency ?? usableCores());
  const begun = new Map<string, Promise<StepResult>>();
  let failed = false;
  const settle = async (step: Step): Promise<StepResult> => {
    const needs = await needsOf(step, begun);
    if (needs.kind === 'missing') return passOver(step, needs, session);
    using _slot = await slots.take();
    if (session.signal.aborted) return { kind: 'unstarted', why: 'the run was interrupted' };
    if (failed && options.keepGoing !== true) return { kind: 'unstarted', why: 'another step failed' };
    const result = await executeStep(step, needs.given, session);
    failed ||= result.kind === 'failed';
    return result;
  };
  const release = onAbort(session);
  try {
    for (const step of steps) begun.set(step.id, settle(step));
    const settled = await Promise.allSettled(begun.values());
    const broken = settled.find((one) => one.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    return new Map(await Promise.all([...begun].map(async ([id, result]) => [id, await result] as const)));
  } finally {
    release();
  }
}

type StepResults = ReadonlyMap<string, StepResult>;
type NeedsSeen =
  | { readonly kind: 'all'; readonly given: Needs }
  | { readonly kind: 'missing'; readonly need: string; readonly result: StepResult };

async function needsOf(step: Step, begun: ReadonlyMap<string, Promise<StepResult>>): Promise<NeedsSeen> {
  const given = new Map<string, Given>();
  const results = await Promise.all(step.needs.map(async ({ id }) => ({ id, result: await begun.get(id) })));
  for (const { id, result } of results) {
    if (result?.kind === 'done' || result?.kind === 'cached') given.set(id, result);
    else
      return { kind: 'missing', need: id, result: result ?? { kind: 'unstarted', why: 'it is no part of this run' } };
  }
  return { kind: 'all', given };
}

function passOver(step: Step, { need, result }: Extract<NeedsSeen, { kind: 'missing' }>, session: Session): StepResult {
  if (result.kind !== 'skipped') return { kind: 'unstarted', why: `it needs ${need}, which did not succeed` };
  const why = `needs ${need}, which was skipped: ${result.why}`;
  session.emit({ kind: 'step.skip', step: step.id, why });
  return { kind: 'skipped', why };
}

/** The journal says so at once: whoever asked may kill us before the steps have ended. */
function onAbort({ signal, emit }: Session): () => void {
  const say = () => {
    try {
      emit({ kind: 'run.interrupted', reason: reasonOf(signal) });
    } catch {
      // A journal that cannot be written has no run.end either, and that says the same.
    }
  };
  if (signal.aborted) say();
  else signal.addEventListener('abort', say, { once: true });
  return () => signal.removeEventListener('abort', say);
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}

function conclude(steps: readonly Step[], results: StepResults, signal: AbortSignal): Omit<RunResult, 'run'> {
  const all = steps.map(({ id }) => results.get(id)).filter((result) => result !== undefined);
  const bySteps = Object.fromEntries(results);
  const failure = all.find((result) => result.kind === 'failed')?.failure;
  if (failure !== undefined) return { outcome: 'failed', exitCode: failure.exitCode, steps: bySteps };
  const stopped = signal.aborted && all.some(({ kind }) => kind === 'interrupted' || kind === 'unstarted');
  return stopped
    ? { outcome: 'interrupted', exitCode: interruptedExitCode, steps: bySteps }
    : { outcome: 'done', exitCode: 0, steps: bySteps };
}

function idOf({ id }: Step): string {
  return id;
}
