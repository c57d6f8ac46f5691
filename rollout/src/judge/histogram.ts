/**
 * Latencies in exponential buckets: bucket i holds those from 1.05^i ms to under 1.05^(i+1) ms, 0 and 259 also what lies
 * beyond. So a margin of (1+m) is a shift by whole buckets, counts of several instances add up exactly, and no latency
 * is off by more than 5 %. A dense list that ends with its last count.
 */
export type Histogram = readonly number[];

/** The same for the journal: buckets that counted, as `[bucket, count]`, rising. */
export type SparseHistogram = readonly (readonly [bucket: number, count: number])[];

const growth = 1.05;
const bucketsTotal = 260;

/** The latency in ms at which bucket `edge` begins. */
export function edgeMs(edge: number): number {
  return growth ** edge;
}

/** The first edge at `ms` or above it. */
export function edgeFrom(ms: number): number {
  return Math.ceil(Math.log(ms) / Math.log(growth));
}

export function dense(sparse: SparseHistogram): Histogram {
  const counts: number[] = new Array((sparse.at(-1)?.[0] ?? -1) + 1).fill(0);
  for (const [bucket, count] of sparse) counts[bucket] = count;
  return counts;
}

export function total(histogram: Histogram): number {
  let sum = 0;
  for (const count of histogram) sum += count;
  return sum;
}

/** How many took at least `edgeMs(edge)`. */
export function above(histogram: Histogram, edge: number): number {
  let sum = 0;
  for (let bucket = edge; bucket < histogram.length; bucket++) sum += histogram[bucket] ?? 0;
  return sum;
}

/** `one` times `kept`, plus `other`. */
export function addTo(one: Histogram, other: Histogram, kept = 1): Histogram {
  const sum: number[] = [];
  const length = Math.max(one.length, other.length);
  for (let bucket = 0; bucket < length; bucket++) sum.push((one[bucket] ?? 0) * kept + (other[bucket] ?? 0));
  return sum;
}

/** An edge and what part of the past lies above it. */
export type Threshold = { readonly edge: number; readonly a: number };

/** The same part may come out a little smaller when it is summed in another order. */
const rounding = 1 - 1e-12;

/**
 * The largest edge, from 1 on, above which at least 1 - level of the past lies, for each of `levels`. Without any past,
 * or with nearly all of it in bucket 0, the first edge: nothing can be said there, and the bets of a = 0.99 stake little.
 */
export function thresholds(past: Histogram, levels: readonly number[]): readonly Threshold[] {
  const all = total(past);
  const tails = tailsOf(past);
  return levels.map((level) => {
    const wanted = (1 - level) * all * rounding;
    const edge = all === 0 ? -1 : tails.findLastIndex((tail, at) => at > 0 && tail >= wanted);
    return edge < 1 ? { edge: 1, a: 0.99 } : { edge, a: ((tails[edge] ?? 0) + 0.5) / (all + 1) };
  });
}

/** How many lie above each edge, all of them above the first. */
export function tailsOf(past: Histogram): readonly number[] {
  const tails: number[] = new Array(bucketsTotal).fill(0);
  let sum = 0;
  for (let edge = past.length - 1; edge >= 0; edge--) {
    sum += past[edge] ?? 0;
    tails[edge] = sum;
  }
  return tails;
}
