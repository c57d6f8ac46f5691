import type { Tolerance } from '../spec.ts';
import type { Line } from './block.ts';

/** Up to `tolerated` a candidate is not rolled back, from `unacceptable` on it is not promoted; between them either is right. */
export type Lines = { readonly tolerated: Line; readonly unacceptable: Line };

const unacceptable: Line = { rho: 1.5, delta: 0.005 };

export const presets: Readonly<Record<Tolerance, Lines>> = {
  strict: { tolerated: { rho: 1, delta: 0 }, unacceptable },
  default: { tolerated: { rho: 1.1, delta: 0.0005 }, unacceptable },
  relaxed: { tolerated: { rho: 1.25, delta: 0.002 }, unacceptable: { rho: 2, delta: 0.02 } },
};

export type LatencyTolerance = 'tight' | 'default';

/** By how many buckets of 5 % the candidate may be slower (10 and 5 %), and from where on it is not promoted (48 and 16 %). */
export const latencyPresets: Readonly<
  Record<LatencyTolerance, { readonly toleratedShift: number; readonly unacceptableShift: number }>
> = {
  tight: { toleratedShift: 1, unacceptableShift: 3 },
  default: { toleratedShift: 2, unacceptableShift: 8 },
};
