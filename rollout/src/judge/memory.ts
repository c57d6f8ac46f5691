import type { LaneCounts } from './verdict.ts';

/**
 * What is remembered of the live lane's failure ratio, older counts for less (half-life 300 s). It decides how good the
 * bets are, never whether they are fair.
 */
export type Memory = { readonly failures: number; readonly requests: number };

const halfLifeSec = 300;
/** Keeps every bet's odds finite. */
const rateMin = 1e-7;
const rateMax = 0.9999;

export const emptyMemory: Memory = { failures: 0, requests: 0 };

/** Adds `seconds` of live counts. */
export function remember(memory: Memory, { requests, failures }: LaneCounts, seconds: number): Memory {
  const kept = 2 ** (-seconds / halfLifeSec);
  return { failures: memory.failures * kept + failures, requests: memory.requests * kept + requests };
}

/** The live failure ratio to expect, between 1e-7 and 0.9999; 0.5 % when nothing is known. */
export function expectedRate({ failures, requests }: Memory): number {
  return Math.min(rateMax, Math.max(rateMin, (failures + 0.5) / (requests + 100)));
}
