import { logRatio } from './block.ts';
import { type Ledger, logWealth, openLedger, release, settle } from './ledger.ts';
import { type RuleVerdict, rollbackOnly } from './verdict.ts';

/**
 * The traffic-share guard: requests that are lost before they are counted, or sent to the wrong lane, leave the
 * candidate less than its weight (a sample-ratio mismatch: Lindon, Malek, "Anytime-valid inference for multinomial count
 * data", NeurIPS 2022). Null: the candidate's share of counted requests is at least 0.9 of its weight. Rollback side only.
 */
export type ShareState = {
  readonly alpha: number;
  /** Candidate's weight during the next scrape, 0 to 1. */
  readonly weight: number;
  readonly ledger: Ledger;
  readonly elapsed: number;
  /** Requests since the start. */
  readonly live: number;
  readonly candidate: number;
};

const slack = 0.1;
/** The shares bet on, as parts of the smallest accepted one. */
const parts = [0.8, 0.5, 0.2, 0.01] as const;
const weights: readonly number[] = [0.25, 0.25, 0.25, 0.25];

export function start({ alpha, weight }: { readonly alpha: number; readonly weight: number }): ShareState {
  return { alpha, weight, ledger: openLedger(weights), elapsed: 0, live: 0, candidate: 0 };
}

/** Adds the requests counted by one scrape. Nothing is scored at weight 0. */
export function step(
  state: ShareState,
  { live, candidate }: { readonly live: number; readonly candidate: number },
  seconds: number,
): [ShareState, RuleVerdict] {
  const isScored = state.weight > 0 && live + candidate > 0;
  const next: ShareState = {
    ...state,
    ledger: isScored ? settle(state.ledger, gains(state.weight, { live, candidate }), weights) : state.ledger,
    elapsed: state.elapsed + seconds,
    live: state.live + live,
    candidate: state.candidate + candidate,
  };
  return [next, { ...read(next), closed: isScored }];
}

export function onWeightChange(state: ShareState, weight: number): [ShareState, RuleVerdict] {
  const next = { ...state, weight, ledger: release(state.ledger, weights) };
  return [next, read(next)];
}

/** What the rule says without a new input. */
export function read({ alpha, weight, ledger, elapsed, live, candidate }: ShareState): RuleVerdict {
  const logRollback = logWealth(ledger);
  return {
    ...rollbackOnly,
    kind: logRollback >= Math.log(1 / alpha) ? 'rollback' : 'hold',
    logRollback,
    elapsed,
    closed: false,
    counts: { live: { requests: live, failures: 0 }, candidate: { requests: candidate, failures: 0 } },
    spoke: { kind: 'share', least: smallestShare(weight) },
  };
}

/** The smallest share that the candidate may have at `weight`. */
export function smallestShare(weight: number): number {
  return (1 - slack) * weight;
}

/** Nats won by each arm in one scrape. */
export function gains(
  weight: number,
  { live, candidate }: { readonly live: number; readonly candidate: number },
): number[] {
  const bound = smallestShare(weight);
  return parts.map((part) => logRatio({ n: live + candidate, f: candidate }, part * bound, bound));
}
