/** What happens in a run, as data. Journal, console and machines read this one stream; nobody asks the engine. */
import type { Gate } from '@headgate/rollout';

/** A remark about a place in the sources, for people who look at a change. */
export type Annotation = {
  readonly level: 'notice' | 'warning' | 'error';
  readonly message: string;
  /** Relative to the root, or `undefined` for none. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
};

/** Why a step failed: an error code of Headgate, or one of these. */
export type FailureClass =
  /** A command ended with another exit code than 0. */
  | 'COMMAND'
  | 'TIMEOUT'
  /** The step kept going although it was told to stop. */
  | 'STUCK'
  /** Values or files differ from what the step declares. */
  | 'OUTPUTS'
  /** Everything else that a step may throw. */
  | 'UNEXPECTED'
  | (string & {});

export type Failure = {
  readonly class: FailureClass;
  readonly message: string;
  /** What to do, or `undefined`. */
  readonly hint: string | undefined;
  /** Of the process, if this failure ends it (README, "Exit codes"). */
  readonly exitCode: number;
};

/** Where a cached result comes from. A cached green is never taken for an executed one. */
export type Original = {
  readonly run: string;
  readonly at: number;
  readonly ms: number;
  /** Where the CI host shows that run, if it ran on one. */
  readonly url?: string | undefined;
};

export type Outcome = 'done' | 'failed' | 'interrupted';

/** Who had a run, when that was last heard of, and how it ended: `undefined` if it came to no end. */
export type Before = { readonly actor: string; readonly at: number; readonly outcome: Outcome | undefined };

/** Who acted in a step, and when: to its end, or as far as nobody knows. */
export type Doer = { readonly actor: string; readonly at: number; readonly finished: boolean };

/** `at` is milliseconds since the epoch. */
export type RunEvent = { readonly at: number } & (
  | {
      readonly kind: 'run.start';
      readonly run: string;
      readonly pipeline: string;
      readonly commit: string | undefined;
      readonly dirty: boolean;
      readonly actor: string;
      /** The run began before, and did not come to its end. */
      readonly resumed: boolean;
      /** How often this run was started, this time and other machines included. */
      readonly attempt?: number;
      /** Who had it before. */
      readonly last?: Before | undefined;
      readonly steps: readonly string[];
      /** Where the journal is read: other machines have told of this start. */
      readonly elsewhere?: true;
    }
  /** `key`, and what differs from the newest result that is kept, are `undefined` for an effect. */
  | {
      readonly kind: 'step.start';
      readonly step: string;
      readonly attempt: number;
      readonly key: string | undefined;
      readonly changed: readonly string[] | undefined;
    }
  /** An effect is about to act. Written before it does; without a `step.done` after it nobody knows how far it came. */
  | { readonly kind: 'intent'; readonly step: string; readonly what: string }
  /** A line of a step's log. The only kind that the journal leaves out: the log holds it. */
  | { readonly kind: 'step.line'; readonly step: string; readonly line: string }
  | { readonly kind: 'annotation'; readonly step: string; readonly note: Annotation }
  /** Something that the step's subject had to pass. */
  | { readonly kind: 'gate'; readonly step: string; readonly gate: Gate }
  | {
      readonly kind: 'step.cached';
      readonly step: string;
      readonly key: string;
      readonly where: string;
      readonly original: Original;
      readonly values: unknown;
    }
  | {
      readonly kind: 'step.done';
      readonly step: string;
      readonly ms: number;
      /** False for an effect that found its work done. */
      readonly acted: boolean;
      /** More than 1: a retry passed, and the step is flaky. */
      readonly attempts: number;
      readonly values: unknown;
      /** Who did in this run what an effect found done, if that is on record. */
      readonly by?: Doer | undefined;
    }
  | { readonly kind: 'step.retry'; readonly step: string; readonly attempt: number; readonly failure: Failure }
  | {
      readonly kind: 'step.fail';
      readonly step: string;
      readonly ms: number;
      readonly failure: Failure;
      /** The last lines of the log, at most 60, and where all of it lies. */
      readonly tail: readonly string[];
      readonly log: string;
    }
  | { readonly kind: 'step.skip'; readonly step: string; readonly why: string }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'run.interrupted'; readonly reason: string }
  | { readonly kind: 'run.end'; readonly outcome: Outcome; readonly ms: number }
);

type WithoutTime<E> = E extends RunEvent ? Omit<E, 'at'> : never;
/** An event before its time is put on it. */
export type Happening = WithoutTime<RunEvent>;
