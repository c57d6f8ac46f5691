import { limitVerdict, type RuleVerdict } from './verdict.ts';

/**
 * The hard lag guard: not a test but a limit that no evidence is weighed against. The candidate's oldest message is
 * older than `limitMs` in two looks running while live's is younger than a third of that: roll back.
 */
export type GuardState = {
  readonly limitMs: number;
  /** Looks in a row in which the condition held. */
  readonly looks: number;
  readonly elapsed: number;
};

/** Age of the oldest message not yet processed, by the server's clock, in ms; 0 for an empty lane. */
export type Ages = { readonly liveOldestMs: number; readonly candidateOldestMs: number };

const looksMin = 2;

/**
 * The limit from what is at stake: 5 min, a quarter of the stream's `maxAgeMs` (no message may expire unseen), or four
 * times the time after which an HTTP client has its 504.
 */
export function limitMsFor({ maxAgeMs, timeoutMs }: { readonly maxAgeMs: number; readonly timeoutMs: number }): number {
  return Math.min(300_000, maxAgeMs / 4, 4 * timeoutMs);
}

export function start(limitMs: number): GuardState {
  return { limitMs, looks: 0, elapsed: 0 };
}

/** Adds one look at both queues; a look that was missed is no input. */
export function step(
  state: GuardState,
  { liveOldestMs, candidateOldestMs }: Ages,
  seconds: number,
): [GuardState, RuleVerdict] {
  const { limitMs } = state;
  const holds = candidateOldestMs > limitMs && liveOldestMs < limitMs / 3;
  const next = { ...state, looks: holds ? state.looks + 1 : 0, elapsed: state.elapsed + seconds };
  return [next, read(next)];
}

/** What the guard says without a new look. */
export function read({ limitMs, looks, elapsed }: GuardState): RuleVerdict {
  return limitVerdict(looks >= looksMin, elapsed, { kind: 'age', limitMs });
}
