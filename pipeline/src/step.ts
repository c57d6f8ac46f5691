/** What a pipeline is made of, as its author writes it. */
import type { AppLock, Gate } from '@headgate/rollout';
import type { Annotation } from './event.ts';
import type { Change } from './host/host.ts';
import { nothing, type Schema } from './plan/schema.ts';
import type { Shell } from './run/shell.ts';

/** The values of the steps in `needs`, by their ids. */
export type Out<Needs extends readonly Step[]> = { readonly [S in Needs[number] as S['id']]: ValuesOf<S> };
export type ValuesOf<S> = S extends Step<string, infer Values> ? Values : never;

/** What a step may use while it only looks. */
export interface LookContext<Given> {
  /** zx: runs in the root; logged, redacted, and ended with its whole process group when the step must stop. */
  readonly $: Shell;
  readonly out: Given;
  readonly signal: AbortSignal;
  /** Absolute folder of the workspace. */
  readonly root: string;
  /** A pure step sees PATH, HOME, the locale and what it declared; an effect everything but the run's secrets. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One or more lines for the log. */
  log(text: string): void;
  annotate(note: Annotation): void;
}

export interface RunContext<Given> extends LookContext<Given> {
  /** From 1. */
  readonly attempt: number;
  /** Tells of something that the step's subject had to pass: a case of its own in JUnit, whatever becomes of the step. */
  gate(gate: Gate): void;
  /** Empty folder of this step, absolute, gone when the step has ended. */
  readonly workDir: string;
}

/** @throws {HeadgateError} `USAGE` for a secret that the run was not given */
type Secrets = { secret(name: string): string };

export interface EffectLookContext<Given> extends LookContext<Given>, Secrets {}

export interface EffectContext<Given> extends RunContext<Given>, Secrets {
  /** What `observe` has just seen. */
  readonly observed: Unfinished;
}

/** Not done, or half done. `diff` is what acting would change, for people. */
export type Unfinished = { readonly kind: 'absent' | 'partial'; readonly diff: string };
export type Observed<Values> = { readonly kind: 'done'; readonly values: Values } | Unfinished;

/** All that a pure step reads. What is not named here must not change its result. */
export type Inputs = {
  /** Globs relative to the root; `!` takes out. Each must match a file. node_modules, .git and .headgate never do. */
  readonly files?: readonly string[];
  /** Names of variables. Others are invisible to the step's commands. */
  readonly env?: readonly string[];
  /** Whatever else the result depends on, each under the name that people are told when it changes; JSON. */
  readonly values?: Values;
  /** Programs whose `--version` matters. */
  readonly tools?: readonly string[];
  /** What nobody can write down before: whoever knows it is asked for every key, and changes nothing. */
  readonly asked?: (question: Question) => Promise<Asked>;
};

type Values = Readonly<Record<string, unknown>>;
export type Asked = {
  /** Paths. */
  readonly files?: readonly string[];
  readonly values?: Values;
  /** What is made of the files, by a name for people -> hash. Apart from the files it is their settings that change it. */
  readonly made?: Readonly<Record<string, string>>;
};

/** Paths are relative to the root. */
export type Question = {
  readonly root: string;
  readonly signal: AbortSignal;
  /** As `files` are found. */
  readonly find: (globs: readonly string[]) => Promise<readonly string[]>;
};

export type Retry = {
  /** All attempts. */
  readonly times: number;
  readonly on: (error: unknown) => boolean;
  /** Before the second attempt, twice as long before each one after it, at most a minute. 1 s unless given. */
  readonly pauseMs: number;
};

type Common<Needs extends readonly Step[], Values> = {
  readonly needs?: Needs;
  readonly outputs?: {
    /** Files, or whole folders as `folder/**`, relative to the root. No two steps write one path. */
    readonly files?: readonly string[];
    readonly values?: Schema<Values>;
  };
  /** For one attempt; 30 min unless given, at most 24 days. Infinity: what it does ends by itself. */
  readonly timeoutMs?: number;
  /** A step that passes later is marked as flaky, and told so to everybody. One that could not be stopped is not tried again beside itself. */
  readonly retry?: Partial<Retry> & Pick<Retry, 'times' | 'on'>;
  /** Anything but `true` skips the step, with this as the reason, and all that need it. */
  readonly when?: (given: { readonly out: Out<Needs>; readonly change: Change }) => true | string;
};

/** Without `outputs.values` a step gives none, and may return nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a step without values may end without `return`, which is void
type Given<Values> = [Values] extends [undefined] ? void : Values;
type Result<Values, Else = never> = Given<Values> | Else | Promise<Given<Values> | Else>;

const why = Symbol('why');
/** An effect left its work to somebody else: it has not failed, and whatever needs it is skipped. */
export type PassedOver = { readonly [why]: string };

/** What an effect returns instead of its values. */
export function passedOver(reason: string): PassedOver {
  return { [why]: reason };
}

/** `undefined`: the effect did its work. */
export function whyPassedOver(returned: unknown): string | undefined {
  return typeof returned === 'object' && returned !== null && why in returned ? String(returned[why]) : undefined;
}

/** Its result is a function of its inputs: done once, then taken from the cache. */
export type PureSpec<Needs extends readonly Step[], Values> = Common<Needs, Values> & {
  readonly kind: 'pure';
  readonly inputs?: Inputs;
  readonly run: (context: RunContext<Out<Needs>>) => Result<NoInfer<Values>>;
};

/** Changes the world. It looks before each attempt, so that a repeated run does nothing twice; it is never cached. */
export type EffectSpec<Needs extends readonly Step[], Values> = Common<Needs, Values> & {
  readonly kind: 'effect';
  /**
   * Held while it looks and acts, e.g. the app's own, `openRecords(spec, state).lock`, which whoever drives a release holds too. Who does not
   * get it exits 75, and from whom it is taken stops. None unless given.
   */
  readonly lock?: AppLock;
  /** Touches nothing. */
  readonly observe: (
    context: EffectLookContext<Out<Needs>>,
  ) => Observed<NoInfer<Values>> | Promise<Observed<NoInfer<Values>>>;
  readonly run: (context: EffectContext<Out<Needs>>) => Result<NoInfer<Values>, PassedOver>;
};

type Erased = Readonly<Record<string, unknown>>;

type StepParts<Id extends string, Values> = {
  readonly id: Id;
  readonly needs: readonly Step[];
  readonly writes: readonly string[];
  readonly values: Schema<Values>;
  readonly timeoutMs: number;
  readonly retry: Retry;
  readonly when: (given: { readonly out: Erased; readonly change: Change }) => true | string;
};

export type PureStep<Id extends string = string, Values = unknown> = StepParts<Id, Values> & {
  readonly kind: 'pure';
  readonly inputs: Required<Inputs>;
  readonly run: (context: RunContext<Erased>) => unknown;
};

export type EffectStep<Id extends string = string, Values = unknown> = StepParts<Id, Values> & {
  readonly kind: 'effect';
  readonly lock: AppLock | undefined;
  readonly observe: (context: EffectLookContext<Erased>) => Observed<unknown> | Promise<Observed<unknown>>;
  readonly run: (context: EffectContext<Erased>) => unknown;
};

/** One unit of a pipeline. Which values its needs gave is known where it was written; the engine carries them by id. */
export type Step<Id extends string = string, Values = unknown> = PureStep<Id, Values> | EffectStep<Id, Values>;

const timeoutMsDefault = 30 * 60_000;
const pauseMsDefault = 1_000;

/**
 * @example
 * const image = step('image', {
 *   kind: 'pure',
 *   needs: [lint],
 *   inputs: { files: ['services/proxy/**'] },
 *   outputs: { values: record({ digest: text }) },
 *   run: async ({ out, $ }) => ({ digest: await build() }),
 * });
 */
export function step<const Id extends string, const Needs extends readonly Step[] = readonly [], Values = undefined>(
  id: Id,
  spec: PureSpec<Needs, Values> | EffectSpec<Needs, Values>,
): Step<Id, Values> {
  const parts = {
    id,
    needs: spec.needs ?? [],
    writes: spec.outputs?.files ?? [],
    values: spec.outputs?.values ?? (nothing as Schema<Values>), // Without a schema `Values` is undefined.
    timeoutMs: spec.timeoutMs ?? timeoutMsDefault,
    retry: { times: 1, on: () => false, pauseMs: pauseMsDefault, ...spec.retry },
    when: (spec.when ?? always) as StepParts<Id, Values>['when'],
  };
  // The engine hands every step the values of exactly its needs, as their own schemas read them.
  if (spec.kind === 'pure') {
    const inputs = { files: [], env: [], values: {}, tools: [], asked: nobody, ...spec.inputs };
    return Object.freeze({ ...parts, kind: 'pure', inputs, run: spec.run as PureStep['run'] });
  }
  const { observe, run } = spec as unknown as Pick<EffectStep, 'observe' | 'run'>;
  return Object.freeze({ ...parts, kind: 'effect', lock: spec.lock, observe, run });
}

async function nobody(): Promise<Asked> {
  return {};
}

function always(): true {
  return true;
}
