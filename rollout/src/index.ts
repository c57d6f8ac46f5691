export type { ErrorCode } from './errors.ts';
export { exitCodes, HeadgateError, InvariantError, invariant, unreachable } from './errors.ts';
export type { Lane, Percent, Pin, Weights } from './lane.ts';
export { lanes, otherLane, percent } from './lane.ts';
export type { Digest } from './revision.ts';
export { digest } from './revision.ts';
