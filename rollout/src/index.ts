export type { Lane, Percent, Pin, Weights } from './lane.ts';
export { lanes, otherLane, percent } from './lane.ts';
