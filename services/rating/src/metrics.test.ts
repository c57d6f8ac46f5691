import { expect, test } from '@jest/globals';
import { openMetrics, timeBucket } from './metrics.ts';

test.each([
  [0, 0],
  [1, 0],
  [1.06, 1],
  [41, 76],
  [1e9, 259],
])('timeBucket(%p) is %p', (ms, bucket) => {
  expect(timeBucket(ms)).toBe(bucket);
});

test('text() tells acks from messages that were given up, and how long the acks took', async () => {
  const metrics = openMetrics(
    { app: 'a', lane: 'blue', service: 'rating', revision: 'unknown' },
    { inFlight: () => new Map() },
  );

  metrics.acked('a-blue', 41);
  metrics.terminated('a-blue');

  const text = await metrics.text();
  expect(text).toContain('headgate_acked_total{stream="a-blue"} 1');
  expect(text).toContain('headgate_terminated_total{stream="a-blue"} 1');
  expect(text).toContain('headgate_ack_time_bucket_total{stream="a-blue",bucket="76"} 1');
});
