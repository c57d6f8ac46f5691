import { describe, expect, test } from '@jest/globals';
import { LatencyHistogram, latencyBucket } from './latency.ts';

describe('latencyBucket()', () => {
  test.each([
    { ms: 0, bucket: 0 },
    { ms: 1, bucket: 0 },
    { ms: 1.06, bucket: 1 },
    { ms: 10, bucket: 47 },
    { ms: 5_000, bucket: 174 },
    { ms: 1e9, bucket: 259 },
    { ms: Number.NaN, bucket: 0 },
  ])('puts $ms ms into bucket $bucket', ({ ms, bucket }) => {
    expect(latencyBucket(ms)).toBe(bucket);
  });
});

test('LatencyHistogram shows only the buckets that counted', () => {
  const histogram = new LatencyHistogram();
  for (const ms of [10, 10.1, 5_000]) histogram.observe(ms);

  expect(histogram.exposition().split('\n').slice(1)).toEqual([
    '# TYPE headgate_latency_bucket_total counter',
    'headgate_latency_bucket_total{bucket="47"} 2',
    'headgate_latency_bucket_total{bucket="174"} 1',
    '',
  ]);
});
