import { join } from 'node:path';
import { exitCodes, withDeadline } from '@headgate/rollout';
import type { StepCache } from './cache/cache.ts';
import { openFolderCache } from './cache/folder.ts';
import type { Pipeline } from './pipeline.ts';
import { type PlannedStep, planPure, untaken } from './plan/decide.ts';
import { chosen } from './plan/graph.ts';
import { parseValues, valuesOf } from './run/attempt.ts';
import { secretOf } from './run/effect.ts';
import { effectEnvironment } from './run/environment.ts';
import { failureOf } from './run/failure.ts';
import { keyOf, outputsHash, readParts } from './run/keys.ts';
import { hashesOf } from './run/pure.ts';
import type { Given } from './run/session.ts';
import { openShell } from './run/shell.ts';
import { Workspace } from './run/workspace.ts';
import type { RunOptions } from './run.ts';
import type { EffectStep, PureStep, Step } from './step.ts';

export type { PlannedStep } from './plan/decide.ts';

export type PlanOptions = Pick<
  RunOptions,
  'root' | 'change' | 'env' | 'secrets' | 'targets' | 'from' | 'only' | 'cache' | 'signal'
>;

/** An effect looks at the world for no longer than this. */
const observeMaxMs = 30_000;

type Planner = PlanOptions & {
  readonly workspace: Workspace;
  readonly cache: StepCache;
  readonly code: readonly string[];
  /** What is known of steps so far. One that is absent gives nothing before it has run. */
  readonly known: Map<string, Given>;
  readonly skipped: Map<string, string>;
};

/**
 * What `run` would do, as data. It reads files, the cache and, through `observe`, the world, and writes nothing at all.
 * What an effect cannot reach is part of the answer.
 * @throws whatever else an effect's `observe` throws, {HeadgateError} `USAGE` for an unknown target or a glob without a match
 */
export async function plan(pipeline: Pipeline, options: PlanOptions): Promise<readonly PlannedStep[]> {
  const state = join(options.root, '.headgate');
  const planner: Planner = {
    ...options,
    workspace: await Workspace.open(options.root, join(state, 'fingerprints.json')),
    cache: options.cache ?? openFolderCache(join(state, 'cache')),
    code: pipeline.code,
    known: new Map(),
    skipped: new Map(),
  };
  const planned: PlannedStep[] = [];
  const { steps, taken } = chosen(pipeline.steps, options.targets ?? pipeline.steps.map(({ id }) => id), options);
  for (const step of steps) {
    const one = await planStep(step, planner);
    planned.push(taken.has(step.id) ? untaken(one) : one);
  }
  return planned;
}

async function planStep(step: Step, planner: Planner): Promise<PlannedStep> {
  const waiting = step.needs.map(({ id }) => id).filter((id) => !planner.known.has(id));
  const why = skipReason(step, waiting, planner);
  if (why !== undefined) {
    planner.skipped.set(step.id, why);
    return { step: step.id, kind: 'skipped', why };
  }
  if (step.kind === 'pure') return planPureStep(step, waiting, planner);
  if (waiting.length > 0) return { step: step.id, kind: 'blocked', by: waiting };
  return observeEffect(step, planner).catch((error: unknown) => {
    const { exitCode, message: why } = failureOf(error);
    if (exitCode !== exitCodes.REGISTRY_UNREACHABLE) throw error; // That of all that cannot be reached.
    return { step: step.id, kind: 'unseen', why };
  });
}

function skipReason(step: Step, waiting: readonly string[], planner: Planner): string | undefined {
  const need = step.needs.find(({ id }) => planner.skipped.has(id));
  if (need !== undefined) return `needs ${need.id}, which is skipped: ${planner.skipped.get(need.id)}`;
  if (waiting.length > 0) return undefined;
  const given = step.when({ out: valuesOf(needsOf(step, planner)), change: planner.change });
  return given === true ? undefined : given;
}

async function planPureStep(step: PureStep, waiting: readonly string[], planner: Planner): Promise<PlannedStep> {
  const { cache, signal, known } = planner;
  const now = await readParts(step, hashesOf(needsOf(step, planner)), planner);
  // A damaged entry is a miss; the run will say so.
  const find = () => cache.find(step.id, keyOf(now), signal).catch(() => undefined);
  const entry = waiting.length === 0 ? await find() : undefined;
  if (entry !== undefined) {
    const values = parseValues(step, entry.values);
    known.set(step.id, { values, hash: outputsHash(values, entry.files) });
  }
  const newest = (await cache.latest(step.id, signal))?.parts;
  const hit = entry && { where: cache.where, run: entry.original.run, at: entry.original.at };
  return planPure(step.id, { waiting, now, hit, newest });
}

async function observeEffect(step: EffectStep, planner: Planner): Promise<PlannedStep> {
  const { root, secrets = {}, known } = planner;
  const env = effectEnvironment(planner.env, secrets);
  const signal = withDeadline(planner.signal, observeMaxMs);
  await using shell = await openShell({ root, env, signal, spool: { write: () => {}, log: () => {} } });
  const said: string[] = [];
  const observed = await step.observe({
    $: shell.$,
    out: valuesOf(needsOf(step, planner)),
    signal,
    root,
    env,
    log: () => {},
    annotate: ({ message }) => void said.push(message),
    secret: secretOf(secrets),
  });
  const remarks = said.length === 0 ? {} : { remarks: said };
  if (observed.kind !== 'done') return { step: step.id, kind: 'would-act', diff: observed.diff, ...remarks };
  const values = parseValues(step, observed.values);
  known.set(step.id, { values, hash: outputsHash(values, []) });
  return { step: step.id, kind: 'nothing-to-do', ...remarks };
}

function needsOf(step: Step, { known }: Planner): ReadonlyMap<string, Given> {
  return new Map(step.needs.flatMap(({ id }) => (known.has(id) ? [[id, known.get(id)] as [string, Given]] : [])));
}
