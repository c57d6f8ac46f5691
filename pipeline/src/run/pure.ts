import type { Gate } from '@headgate/rollout';
import { reasonsToRun } from '../plan/decide.ts';
import type { KeyParts } from '../plan/key.ts';
import type { PureStep } from '../step.ts';
import { type Needs, parseValues, takeOutputs, withAttempts } from './attempt.ts';
import { pureEnvironment } from './environment.ts';
import { keyOf, outputsHash, readParts } from './keys.ts';
import { logFile, requireUntaken, type Session, type StepResult } from './session.ts';
import type { LogSpool } from './spool.ts';

/** Takes the result from the cache, or makes it and keeps it. `openSpool` begins the step's log anew. */
export async function runPure(
  step: PureStep,
  needs: Needs,
  { session, openSpool }: { readonly session: Session; readonly openSpool: () => LogSpool },
): Promise<StepResult> {
  const begun = performance.now();
  const parts = await readParts(step, hashesOf(needs), session);
  const key = keyOf(parts);
  const isRead = session.readCache || session.taken.has(step.id);
  const hit = isRead ? await aided(session, 'read', () => fromCache(step, key, session)) : undefined;
  if (hit !== undefined) return hit;

  // Only told against: what is wrong with the cache has just been said.
  const newest = await session.cache.latest(step.id, session.signal).catch(() => undefined);
  const changed = reasonsToRun(parts, newest?.parts);
  requireUntaken(step.id, session, `run: ${changed.join(', ')}`);
  const spool = openSpool();
  const env = pureEnvironment(session.env, step.inputs.env);
  const { result, attempts } = await withAttempts(
    { step, needs, key, changed, env, spool, session },
    async (context) => {
      const gates: Gate[] = [];
      const gate = (one: Gate) => {
        gates.push(one);
        context.gate(one);
      };
      return { ...(await takeOutputs(step, await step.run({ ...context, gate }), session)), gates };
    },
  );
  spool.flush();
  const { files, gates, ...given } = result;
  const ms = performance.now() - begun;
  await aided(session, 'written', async () => {
    if (!(await isStill(key, step, needs, session))) return;
    const original = { run: session.run, url: session.url, at: Date.now(), ms };
    const entry = { key, parts, values: given.values ?? null, files, original, gates };
    await session.cache.keep(entry, { workspace: session.workspace, log: logFile(session, step.id) }, session.signal);
  });
  session.emit({ kind: 'step.done', step: step.id, ms, acted: true, attempts, values: given.values });
  return { kind: 'done', ms, acted: true, attempts, ...given };
}

async function fromCache(step: PureStep, key: string, session: Session): Promise<StepResult | undefined> {
  const { cache, workspace, signal, emit } = session;
  const entry = await cache.find(step.id, key, signal);
  if (entry === undefined) return undefined;
  const values = parseValues(step, entry.values);
  if (!(await cache.restore(entry, { workspace, log: logFile(session, step.id) }, signal))) return undefined;
  const { original, files, gates = [] } = entry;
  for (const gate of gates) emit({ kind: 'gate', step: step.id, gate });
  emit({ kind: 'step.cached', step: step.id, key, where: cache.where, original, values });
  return { kind: 'cached', original, values, hash: outputsHash(values, files) };
}

/** A file that somebody saved while the step ran would put a result under a key that it does not belong to. */
async function isStill(key: string, step: PureStep, needs: Needs, session: Session): Promise<boolean> {
  const parts: KeyParts = await readParts(step, hashesOf(needs), session);
  if (keyOf(parts) === key) return true;
  session.emit({ kind: 'warning', message: `${step.id} is not kept, as its inputs changed while it ran` });
  return false;
}

const nothing = outputsHash(undefined, []);

/** A need that gives nothing says when, and not what: with or without it the result is the same. */
export function hashesOf(needs: Needs): Readonly<Record<string, string>> {
  return Object.fromEntries([...needs].flatMap(([id, { hash }]) => (hash === nothing ? [] : [[id, hash]])));
}

/** A cache is an aid: broken, it costs the time that it would have saved, and never the run. */
async function aided<T>(session: Session, done: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (session.signal.aborted) throw error;
    session.emit({ kind: 'warning', message: `the cache could not be ${done}: ${String(error)}` });
    return undefined;
  }
}
