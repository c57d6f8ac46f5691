import { invariant } from '../errors.ts';
import type { LaneQueue } from './capacity.ts';
import type { SparseHistogram } from './histogram.ts';
import type { LimitValues } from './limit.ts';
import type { LaneCounts } from './verdict.ts';

/** What one lane did since the last good scrape. `failed`: 5xx and no answer; `refused`: 4xx; both are part of `requests`. */
export type Counts = { readonly requests: number; readonly failed: number; readonly refused: number };

/** One lane's queue since the last good look. `dropped`: expired, or given up by the queue or a worker; no answer came of them. */
export type QueueCounts = LaneQueue & {
  readonly delivered: number;
  readonly redelivered: number;
  readonly dropped: number;
};

/** What is read more rarely than the counts has its own time. `undefined` in a sample: not read, or not whole; never zero. */
export type Stretch<T> = { readonly seconds: number; readonly live: T; readonly candidate: T };

/**
 * What was seen between two good scrapes. A failed scrape is no sample: missing data is never fed as zeros.
 * The candidate is always the lane that is judged; in the watch that is the promoted one, which others call live by then.
 */
export type Sample = {
  /** Time over which the counts were read. */
  readonly seconds: number;
  /** Whole percent. The smaller one, if the weight moved meanwhile: the traffic-share guard then blames nobody. */
  readonly candidateShare: number;
  /** Some process was not counted, or was counted for longer: the traffic-share guard hears nothing of this sample. */
  readonly uneven?: true;
  readonly live: Counts;
  readonly candidate: Counts;
  /** `undefined`: no queue, or no new look at it since the last sample. */
  readonly queue: { readonly liveOldestMs: number; readonly candidateOldestMs: number } | undefined;
  /** The same synthetic requests to both lanes, counted apart from the users'; `undefined`: none were sent. */
  readonly probes: { readonly live: Counts; readonly candidate: Counts } | undefined;
  /** The user's own metrics by name, those that were read since the last sample: counts, and values for static limits. */
  readonly own: Readonly<Record<string, Stretch<LaneCounts>>> | undefined;
  readonly values: Readonly<Record<string, LimitValues>> | undefined;
} & { readonly [source in Slow]: SlowSources[source] | undefined };

/** What is read at the lanes' own processes and at the queue. */
export type SlowSources = {
  /** Of answers, measured at the lanes' proxies. */
  readonly latency: Stretch<SparseHistogram>;
  /** From a message's delivery to its ack, measured at the lanes' workers. */
  readonly ackTime: Stretch<SparseHistogram>;
  readonly flow: Stretch<QueueCounts>;
};
export type Slow = keyof SlowSources;

/** A sample in which nothing but the counts was read. */
export const countsOnly = {
  queue: undefined,
  probes: undefined,
  latency: undefined,
  ackTime: undefined,
  flow: undefined,
  own: undefined,
  values: undefined,
} as const;

/** Live traffic from before the candidate has any. */
export type Prime = {
  readonly seconds: number;
  readonly live: Counts;
  readonly own: Readonly<Record<string, Pick<Stretch<LaneCounts>, 'seconds' | 'live'>>> | undefined;
} & { readonly [source in Slow]: Pick<SlowSources[source], 'seconds' | 'live'> | undefined };

/** @throws {InvariantError} if a number would poison the state */
export function checkSample(sample: Sample): void {
  const { values, ...counted } = sample;
  const areNumbers = Object.values(values ?? {}).every(({ live, candidate }) =>
    Number.isFinite((live ?? 0) + candidate),
  );
  if (areNumbers && isSound(counted) && sample.candidateShare <= 100) return;
  invariant(
    false,
    `Cannot judge this sample as its numbers must be finite and not negative: current value is ${JSON.stringify(sample)}`,
  );
}

function isSound(value: unknown): boolean {
  if (typeof value === 'number') return value >= 0 && value < Number.POSITIVE_INFINITY;
  if (value === null || typeof value !== 'object') return true;
  return (Array.isArray(value) ? value : Object.values(value)).every(isSound);
}
