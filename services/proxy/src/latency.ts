/** Growth of the buckets: each is 5 % wider than the one before it. */
const LOG_GROWTH = Math.log(1.05);

/** Bucket 259 begins at 308 s. */
const LATENCY_BUCKETS = 260;

/** Bucket `floor(ln(ms) / ln 1.05)`, clipped to 0..259: bucket i holds latencies from 1.05^i ms to under 1.05^(i+1) ms. */
export function latencyBucket(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(LATENCY_BUCKETS - 1, Math.floor(Math.log(ms) / LOG_GROWTH));
}

/** Counts per bucket. Exact and mergeable, which a fixed set of Prometheus buckets is not. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(LATENCY_BUCKETS);

  observe(ms: number): void {
    const bucket = latencyBucket(ms);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** Prometheus text, buckets that counted only: `headgate_latency_bucket_total{bucket="37"} 12`. */
  exposition(): string {
    const lines = [
      '# HELP headgate_latency_bucket_total Answers by latency: bucket i holds those from 1.05^i ms to under 1.05^(i+1) ms, 0 and 259 also what lies beyond',
      '# TYPE headgate_latency_bucket_total counter',
    ];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) lines.push(`headgate_latency_bucket_total{bucket="${bucket}"} ${count}`);
    });
    return `${lines.join('\n')}\n`;
  }
}
