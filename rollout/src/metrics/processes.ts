import type { SparseHistogram } from '../judge/histogram.ts';
import type { Lane } from '../lane.ts';

/**
 * Running totals of one process since it began, by name:
 * `requests`, `failed` and `refused`: answers of a proxy, by pin or by weight, and those of them that were 5xx or 4xx;
 * `latency` and `latency/<bucket>`: answers of a proxy, all of them and by the time they took;
 * `acked/<lane>`, `terminated/<lane>`: messages of a lane that a worker was done with, or gave up for good;
 * `ackTime/<lane>/<bucket>`: the acked ones by time since delivery. Buckets are those of the judge's histograms.
 * A process that has `requests`, `latency`, or `acked` and `ackTime`, counts these; nobody else's silence about them is a zero.
 */
export type Series = Readonly<Record<string, number>>;

export type ProcessSeen = {
  /** No other process's, before or after. */
  readonly id: string;
  readonly ready: boolean;
  /** `undefined`: it did not answer. */
  readonly series: Series | undefined;
};

/** What the processes of the lanes say of themselves. For what the router cannot know: it is asked second, as the dead do not answer. */
export interface Processes {
  /** All processes of the lane, those that do not answer included. @throws {HeadgateError} `METRICS_UNREACHABLE` if nobody knows which there are */
  observe(lane: Lane, signal: AbortSignal): Promise<readonly ProcessSeen[]>;
}

/** The buckets of a series, e.g. `latency/`. */
export function bucketsIn(series: Series, prefix: string): SparseHistogram {
  return Object.entries(series)
    .filter(([name, count]) => name.startsWith(prefix) && count > 0)
    .map(([name, count]) => [Number(name.slice(prefix.length)), count] as const)
    .sort(([a], [b]) => a - b);
}
