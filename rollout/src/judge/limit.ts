import { limitVerdict, type RuleVerdict } from './verdict.ts';

/**
 * A static limit on a value, for users who have one from another tool. It is no test and has no error rate: too tight a
 * limit rolls good releases back, too wide a one passes bad ones. The candidate alone is beyond it in `looks` readings
 * running: roll back. When live is beyond it too, that blames nobody; either way nobody is promoted meanwhile.
 */
export type LimitState = {
  readonly min: number | null;
  readonly max: number | null;
  readonly looks: number;
  /** Readings running in which the candidate alone was beyond it. */
  readonly beyond: number;
  readonly elapsed: number;
  readonly live: number | null;
  readonly candidate: number | null;
};

export type LimitSettings = Pick<LimitState, 'min' | 'max' | 'looks'>;

/** Values of both lanes in one reading; `null`: live says nothing, as it does without traffic. */
export type LimitValues = { readonly live: number | null; readonly candidate: number };

export function start({ min, max, looks }: LimitSettings): LimitState {
  return { min, max, looks, beyond: 0, elapsed: 0, live: null, candidate: null };
}

/** Adds one reading; one that was missed, or has no value of the candidate, is no input. */
export function step(state: LimitState, values: LimitValues, seconds: number): [LimitState, RuleVerdict] {
  const isAlone = isBeyond(state, values.candidate) && !isBeyond(state, values.live);
  const beyond = isAlone ? state.beyond + 1 : 0;
  const next = { ...state, ...values, beyond, elapsed: state.elapsed + seconds };
  return [next, read(next)];
}

/** What the limit says without a new reading. */
export function read(state: LimitState): RuleVerdict {
  const { min, max, live, candidate, beyond, looks, elapsed } = state;
  const spoke = { kind: 'limit', min, max, live, candidate, beyond, looks } as const;
  return { ...limitVerdict(beyond >= looks, elapsed, spoke), promotable: !isBeyond(state, candidate) };
}

function isBeyond({ min, max }: LimitSettings, value: number | null): boolean {
  if (value === null) return false;
  return (min !== null && value < min) || (max !== null && value > max);
}
