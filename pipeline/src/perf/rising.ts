import { percentile, sorted } from './interval.ts';
import type { Side } from './rule.ts';

export type Rising = {
  /** All its timings, sorted. */
  readonly all: Float64Array;
  /** The middle of each kind, in ms. */
  readonly middles: ReadonlyMap<string, number>;
};

const known = new WeakMap<Side, Rising>();

/** Sorted once, for each look asks all rounds so far again, and sorting is what a look costs. */
export function risingOf(side: Side): Rising {
  const found = known.get(side) ?? sortedOf(side);
  known.set(side, found);
  return found;
}

function sortedOf({ timings }: Side): Rising {
  const middles = Object.entries(timings).map(([kind, ms]) => [kind, percentile(sorted(ms), 0.5)] as const);
  return { all: sorted(Object.values(timings).flat()), middles: new Map(middles) };
}
