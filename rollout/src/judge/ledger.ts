/**
 * The wealth of a test martingale that bets on several alternatives at once: arms at stake, and cash that is released in
 * tranches, so that a fault that begins late meets fresh stakes (in the spirit of Shin, Ramdas, Rinaldo, "E-detectors").
 * Every move is paid from the ledger itself and decided from the past, so the wealth stays a nonnegative supermartingale
 * that starts at 1, and by Ville's inequality passes 1/alpha with probability alpha at most.
 */
export type Ledger = {
  /** Natural log of the wealth of each arm. */
  readonly arms: readonly number[];
  /** Number of the tranche to be released next, from 1. It is all that need be kept of the cash. */
  readonly tranche: number;
};

const cashFirst = 0.25;
const cashMin = 1e-4;
/** A tranche follows once the arms are so many nats below the cash. */
const trailNats = 3;

/** Wealth 1: a quarter in cash, the rest on the arms by weight. Weights sum to 1. */
export function openLedger(weights: readonly number[]): Ledger {
  return { arms: weights.map((weight) => Math.log((1 - cashFirst) * weight)), tranche: 1 };
}

/** Tranche j is 1/(j (j+1)) of the first cash, which leaves 1/j before it. */
export function cashOf({ tranche }: Ledger): number {
  return cashFirst / tranche;
}

/** Natural log of the whole wealth. */
export function logWealth(ledger: Ledger): number {
  return logSumExp([...ledger.arms, Math.log(cashOf(ledger))]);
}

/** Books what each arm won or lost, in nats, then releases a tranche if the arms have fallen far behind the cash. */
export function settle(ledger: Ledger, gains: readonly number[], weights: readonly number[]): Ledger {
  const moved = { ...ledger, arms: ledger.arms.map((arm, k) => arm + (gains[k] ?? 0)) };
  const cash = cashOf(moved);
  const trails = logSumExp(moved.arms) < Math.log(cash) - trailNats && cash > cashMin;
  return trails ? release(moved, weights) : moved;
}

/** Moves the next tranche from cash to the arms; at every weight change, and by `settle`. */
export function release({ arms, tranche }: Ledger, weights: readonly number[]): Ledger {
  const amount = cashFirst / (tranche * (tranche + 1));
  return {
    arms: arms.map((arm, k) => logSumExp([arm, Math.log(amount * (weights[k] ?? 0))])),
    tranche: tranche + 1,
  };
}

/** ln(sum of e^x), without overflow. `logs` has at least one finite member. */
export function logSumExp(logs: readonly number[]): number {
  const most = Math.max(...logs);
  return most + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - most), 0));
}
