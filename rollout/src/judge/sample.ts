import { invariant } from '../errors.ts';

/** What one lane did since the last good scrape. `failed`: 5xx and no answer; `refused`: 4xx; both are part of `requests`. */
export type Counts = { readonly requests: number; readonly failed: number; readonly refused: number };

/**
 * What was seen between two good scrapes. A failed scrape is no sample: missing data is never fed as zeros.
 * The candidate is always the lane that is judged; in the watch that is the promoted one, which others call live by then.
 */
export type Sample = {
  /** Time over which the counts were read. */
  readonly seconds: number;
  /** Whole percent. The smaller one, if the weight moved meanwhile: the traffic-share guard then blames nobody. */
  readonly candidateShare: number;
  readonly live: Counts;
  readonly candidate: Counts;
  /** `undefined`: no queue, or no new look at it since the last sample. */
  readonly queue: { readonly liveOldestMs: number; readonly candidateOldestMs: number } | undefined;
  /** The same synthetic requests to both lanes, counted apart from the users'; `undefined`: none were sent. */
  readonly probes: { readonly live: Counts; readonly candidate: Counts } | undefined;
};

/** @throws {InvariantError} if a number would poison the state */
export function checkSample(sample: Sample): void {
  const { seconds, candidateShare, live, candidate, queue, probes } = sample;
  const lanes = [live, candidate, ...(probes === undefined ? [] : [probes.live, probes.candidate])];
  const numbers = [
    seconds,
    candidateShare,
    ...lanes.flatMap(({ requests, failed, refused }) => [requests, failed, refused]),
    ...(queue === undefined ? [] : [queue.liveOldestMs, queue.candidateOldestMs]),
  ];
  invariant(
    numbers.every((value) => Number.isFinite(value) && value >= 0) && candidateShare <= 100,
    `Cannot judge this sample as its numbers must be finite and not negative: current value is ${JSON.stringify(sample)}`,
  );
}
