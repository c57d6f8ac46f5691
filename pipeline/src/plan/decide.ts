import { changedParts, type KeyParts } from './key.ts';

/** What a run would do with one step. */
export type PlannedStep = { readonly step: string } & (
  | { readonly kind: 'cached'; readonly where: string; readonly run: string; readonly at: number }
  /** `changed`: what differs from the newest result that is kept; `['never run']` if there is none. */
  | { readonly kind: 'would-run'; readonly changed: readonly string[] }
  /** An effect that has found something to do. */
  | ({ readonly kind: 'would-act'; readonly diff: string } & Remarks)
  /** An effect that has found its work done. */
  | ({ readonly kind: 'nothing-to-do' } & Remarks)
  /** Depends on what these steps will give. Equal outputs may still mean that nothing is done. */
  | { readonly kind: 'blocked'; readonly by: readonly string[] }
  | { readonly kind: 'skipped'; readonly why: string }
  /** What it left is to be taken, and there is nothing: the run is refused. */
  | { readonly kind: 'missing'; readonly why: string }
  /** What it would look at does not run or does not answer. */
  | { readonly kind: 'unseen'; readonly why: string }
);

/** What an effect says of what it sees, beside what it would do; absent: nothing. */
type Remarks = { readonly remarks?: readonly string[] };

/** A step that may not be carried out. */
export function untaken(planned: PlannedStep): PlannedStep {
  const { step } = planned;
  if (planned.kind === 'would-run') return { step, kind: 'missing', why: `run: ${planned.changed.join(', ')}` };
  return planned.kind === 'would-act' ? { step, kind: 'missing', why: planned.diff } : planned;
}

export type PureFacts = {
  /** Needs whose outputs are not known yet. */
  readonly waiting: readonly string[];
  readonly now: KeyParts;
  /** Under the key of `now`, or `undefined`. */
  readonly hit: { readonly where: string; readonly run: string; readonly at: number } | undefined;
  /** Of the newest result kept, or `undefined`. */
  readonly newest: KeyParts | undefined;
};

export function planPure(step: string, { waiting, now, hit, newest }: PureFacts): PlannedStep {
  if (waiting.length === 0 && hit !== undefined) return { step, kind: 'cached', ...hit };
  // What a need will give is not known, and no change of this step's own.
  const known = waiting.length === 0 || newest === undefined ? now : { ...now, needs: newest.needs };
  const changed = reasonsToRun(known, newest);
  if (changed === gone && waiting.length > 0) return { step, kind: 'blocked', by: waiting };
  return { step, kind: 'would-run', changed };
}

const gone = ['its result is gone'] as const;

/** What differs from the newest result that is kept; never empty. */
export function reasonsToRun(now: KeyParts, newest: KeyParts | undefined): readonly string[] {
  if (newest === undefined) return ['never run'];
  const changed = changedParts(newest, now);
  return changed.length === 0 ? gone : changed;
}
