import { divergence, type Line, lineAt, project } from './block.ts';

/** What the tests need beyond the information bound, found by simulation: promotion and rollback. */
export const promotionOverhead = 1.3;
const rollbackOverhead = 1.4;

/** One comparison: what both lanes really fail, `weight` the candidate's share of the requests (above 0, below 1). */
export type Comparison = { readonly pL: number; readonly pC: number; readonly weight: number; readonly line: Line };

/**
 * Nats that one candidate request brings at best when the live rate is unknown: the least, over the null, of the two
 * lanes' divergences (the bound of Wald's "Sequential tests of statistical hypotheses", 1945, for two streams).
 */
export function natsPerRequest({ pL, pC, weight, line }: Comparison): number {
  const livePerCandidate = (1 - weight) / weight;
  const x = project({ nL: livePerCandidate, nC: 1 }, { a: pL, q: pC, line });
  return livePerCandidate * divergence(pL, x) + divergence(pC, lineAt(line, x));
}

/** Candidate requests until a release that fails like live, at rate `p`, has `nats` more evidence for promotion. */
export function neededToPromote(nats: number, { p, weight, line }: { p: number; weight: number; line: Line }): number {
  return (promotionOverhead * nats) / natsPerRequest({ pL: p, pC: p, weight, line });
}

/** Candidate requests until a regression from pL to pC has `nats` more evidence for rollback. `line` is the tolerated one. */
export function neededToRollBack(nats: number, comparison: Comparison): number {
  return (rollbackOverhead * nats) / natsPerRequest(comparison);
}
