import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { canonicalJson, firstOf } from '@headgate/rollout';
import type { StoredFile } from '../cache/cache.ts';
import { fileName } from '../plan/graph.ts';
import { formatMs } from '../report/lines.ts';
import type { RunContext, Step } from '../step.ts';
import type { Environment } from './environment.ts';
import { failureOf, StepError } from './failure.ts';
import { outputsHash } from './keys.ts';
import { redactDeep } from './redact.ts';
import type { Given, Session } from './session.ts';
import { type OwnedShell, openShell } from './shell.ts';
import type { LogSpool } from './spool.ts';

/** How long a step may take to end after it was told to. */
const stopGraceMs = 5_000;
/** The longest pause between two attempts. */
const pauseMaxMs = 60_000;

export type Context = RunContext<Readonly<Record<string, unknown>>>;

/** What the needs of a step gave, by their ids. */
export type Needs = ReadonlyMap<string, Given>;

/** What each attempt has at hand beside the session. */
export type Attempt = {
  readonly step: Step;
  readonly needs: Needs;
  /** As in `step.start`. */
  readonly key: string | undefined;
  readonly changed: readonly string[] | undefined;
  readonly env: Environment;
  readonly spool: LogSpool;
  readonly session: Session;
};

/** Works until it passes, its attempts are used up, or nobody wants more. `work` gets a context of its own each time. */
export async function withAttempts<T>(
  attempt: Attempt,
  work: (context: Context) => Promise<T>,
): Promise<{ readonly result: T; readonly attempts: number }> {
  const { step, session, spool } = attempt;
  for (let number = 1; ; number += 1) {
    try {
      return { result: await once(attempt, number, work), attempts: number };
    } catch (error) {
      spool.flush();
      spool.log(wordsOf(error));
      if (session.signal.aborted || number >= step.retry.times || isStuck(error) || !step.retry.on(error)) throw error;
      session.emit({ kind: 'step.retry', step: step.id, attempt: number, failure: failureOf(error) });
      const pauseMs = Math.min(pauseMaxMs, step.retry.pauseMs * 2 ** (number - 1));
      await sleep(pauseMs, undefined, { signal: session.signal });
    }
  }
}

/** It goes on, nobody knows for how long: another attempt would run beside it. */
function isStuck(error: unknown): boolean {
  return error instanceof StepError && error.class === 'STUCK';
}

/** For the log. What a command has said is there already, and quoted it would hide a secret from whoever looks for it. */
function wordsOf(error: unknown): string {
  const { class: kind, hint, message } = failureOf(error);
  if (kind === 'COMMAND') return message;
  // Of a failure that people can act on the sentence is all; of any other the stack and causes are for whoever looks for the mistake.
  return hint === undefined ? inspect(error) : `${message}\n${hint}`;
}

async function once<T>(attempt: Attempt, number: number, work: (context: Context) => Promise<T>): Promise<T> {
  const { step, session, spool } = attempt;
  session.emit({ kind: 'step.start', step: step.id, attempt: number, key: attempt.key, changed: attempt.changed });
  const workDir = join(session.folders.work, fileName(step.id));
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true });
  const gate: Context['gate'] = (one) => session.emit({ kind: 'gate', step: step.id, gate: one });
  try {
    return await bounded(step, session.signal, async (signal) => {
      await using shell = await openShell({ root: session.workspace.root, env: attempt.env, spool, signal });
      return await work({ ...lookContext(attempt, shell, signal), attempt: number, gate, workDir });
    });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function lookContext({ step, needs, env, spool, session }: Attempt, { $ }: OwnedShell, signal: AbortSignal) {
  return {
    $,
    out: valuesOf(needs),
    signal,
    root: session.workspace.root,
    env,
    log: (text: string) => spool.log(text),
    annotate: (note: Parameters<Context['annotate']>[0]) => session.emit({ kind: 'annotation', step: step.id, note }),
  };
}

export function valuesOf(needs: Needs): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...needs].map(([id, { values }]) => [id, values]));
}

/** Tells `work` to stop when its time is over or the run's is, and does not wait for ever until it does. */
async function bounded<T>(step: Step, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  // A timer for ever would be over at once.
  const timer = Number.isFinite(step.timeoutMs) ? setTimeout(() => own.abort(), step.timeoutMs) : undefined;
  const stop = firstOf([signal, own.signal]);
  const done = new AbortController();
  try {
    return await Promise.race([work(stop), stuck(step, stop, done.signal)]);
  } catch (error) {
    if (!own.signal.aborted || signal.aborted || error instanceof StepError) throw error;
    throw new StepError('TIMEOUT', `Cannot finish ${step.id} as it must end within ${formatMs(step.timeoutMs)}`, error);
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}

/** Rejects if the work goes on too long after `stop`; never settles before. */
async function stuck(step: Step, stop: AbortSignal, done: AbortSignal): Promise<never> {
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
  // Its end is not waited for once the work is done, so the rejection has nobody to hear it.
  await sleep(stopGraceMs, undefined, { signal: done }).catch(() => new Promise(() => {}));
  throw new StepError(
    'STUCK',
    `Cannot stop ${step.id} as it must end within ${formatMs(stopGraceMs)} after it is told to`,
  );
}

/** Reads what a step returned as whoever needs it will read it. @throws {StepError} `OUTPUTS` */
export async function takeOutputs(
  step: Step,
  returned: unknown,
  { redact, workspace }: Session,
): Promise<Given & { readonly files: readonly StoredFile[] }> {
  const values = parseValues(step, returned);
  // A secret in an output would go into the journal and the cache, or be destroyed on the way there.
  if (canonicalJson({ values: redactDeep(values, redact) }) !== canonicalJson({ values })) {
    throw new StepError('OUTPUTS', `Cannot take the values of ${step.id} as they must not hold a secret`);
  }
  const files = await writtenFiles(step, workspace);
  return { values, files, hash: outputsHash(values, files) };
}

export function parseValues(step: Step, returned: unknown): unknown {
  try {
    // Through JSON and back, as the cache and the journal would give it.
    return step.values.parse(returned === undefined ? undefined : JSON.parse(canonicalJson(returned)));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StepError(
      'OUTPUTS',
      `Cannot take the values of ${step.id} as they must be what it declares: ${why}`,
      cause,
    );
  }
}

async function writtenFiles({ id, writes }: Step, workspace: Session['workspace']): Promise<readonly StoredFile[]> {
  const paths = await workspace.find(writes).catch((cause: Error) => {
    throw new StepError('OUTPUTS', `Cannot finish ${id} as it must write what it declares: ${cause.message}`, cause);
  });
  const files = await Promise.all(paths.map(async (path) => ({ path, found: await workspace.fingerprint(path) })));
  return files.flatMap(({ path, found }) => (found === undefined ? [] : [{ path, ...found }]));
}
