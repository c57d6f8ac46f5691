import type { Verdict } from './verdict.ts';

/** `stepIndex`: the weight at work, from 0. `stepsTotal`: weights before promotion. */
export type StepSettings = { readonly beta: number; readonly bakeSec: number };

/** How much of the evidence that promotion needs is there, 0 to 1: the smallest over all rules with a promotion side. */
export function progressOf({ logPromote }: Verdict, { beta }: Pick<StepSettings, 'beta'>): number {
  return Math.min(1, Math.max(0, (logPromote ?? 0) / Math.log(1 / beta)));
}

/**
 * May the release leave weight `stepIndex` (from 0) of `stepsTotal`? The k-th weight asks for k/n of the evidence and
 * stays for 1/n of the bake; the last one asks for the verdict `promote`. Evidence carries over from weight to weight.
 */
export function readyForStep(verdict: Verdict, stepIndex: number, stepsTotal: number, settings: StepSettings): boolean {
  if (verdict.atWeightSec < settings.bakeSec / stepsTotal) return false;
  if (stepIndex >= stepsTotal - 1) return verdict.kind === 'promote';
  const waits = verdict.kind === 'hold' && verdict.reason !== 'evidence' && verdict.reason !== 'bake';
  if (verdict.kind === 'rollback' || waits) return false;
  return progressOf(verdict, settings) >= (stepIndex + 1) / stepsTotal;
}
