import { logSumExp } from './ledger.ts';

/** Promotion wealth above the threshold is thrown away beyond this, so that old credit cannot outvote new trouble. */
const creditNats = 2;

/** The most that the promotion side of a rule may have, as a natural log. */
export function creditMax(beta: number): number {
  return Math.log(1 / beta) + creditNats;
}

/** Log wealth of promotion arms after their gains, all of them lowered alike where the sum is above the most. */
export function credited(wealth: readonly number[], gains: readonly number[], beta: number): number[] {
  const moved = wealth.map((arm, k) => arm + (gains[k] ?? 0));
  const excess = Math.max(0, logSumExp(moved) - creditMax(beta));
  return moved.map((arm) => arm - excess);
}
