import { lanes, type PerLane } from '../lane.ts';
import type { LaneTotals, MetricsSeen, Totals } from './metrics.ts';

/** What was counted between two sights; `undefined` if counters may have begun anew in between: then nobody knows. */
export function difference(before: MetricsSeen, after: MetricsSeen): PerLane<LaneTotals> | undefined {
  if (before.epoch !== after.epoch) return undefined;
  if (lanes.some((lane) => fell(before.lanes[lane], after.lanes[lane]))) return undefined;
  return {
    blue: grown(before.lanes.blue, after.lanes.blue),
    green: grown(before.lanes.green, after.lanes.green),
  };
}

function grown(before: LaneTotals, after: LaneTotals): LaneTotals {
  return { weighted: minus(after.weighted, before.weighted), pinned: minus(after.pinned, before.pinned) };
}

function fell(before: LaneTotals, after: LaneTotals): boolean {
  const { weighted, pinned } = grown(before, after);
  return [weighted, pinned].some(({ requests, failed, refused }) => Math.min(requests, failed, refused) < 0);
}

function minus(a: Totals, b: Totals): Totals {
  return { requests: a.requests - b.requests, failed: a.failed - b.failed, refused: a.refused - b.refused };
}
