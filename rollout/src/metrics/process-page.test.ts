import { expect, test } from '@jest/globals';
import { readProcessPage } from './process-page.ts';

const app = { app: 'ratings', existing: undefined };

test('readProcessPage() reads latencies, acks and how long they took, of this app alone', () => {
  const page = `# HELP headgate_latency_bucket_total Answers by latency
# TYPE headgate_latency_bucket_total counter
headgate_latency_bucket_total{bucket="37"} 12
headgate_latency_bucket_total{bucket="60"} 1
# TYPE headgate_acked_total counter
headgate_acked_total{stream="ratings-blue"} 9
headgate_acked_total{stream="other-blue"} 7
headgate_terminated_total{stream="ratings-green"} 2
headgate_ack_time_bucket_total{stream="ratings-blue",bucket="12"} 9 1700000000000
process_start_time_seconds 1700000000.25
nodejs_heap_size_total_bytes 123
`;

  expect(readProcessPage(page, app)).toEqual({
    latency: 13,
    'latency/37': 12,
    'latency/60': 1,
    acked: 0,
    ackTime: 0,
    'acked/blue': 9,
    'terminated/green': 2,
    'ackTime/blue/12': 9,
    startedAtSec: 1700000000.25,
  });
});

test('readProcessPage() tells a process that has counted nothing from one that counts nothing', () => {
  expect(readProcessPage('# TYPE headgate_latency_bucket_total counter\n', app)).toEqual({ latency: 0 });
  expect(readProcessPage('<html>not found</html>', app)).toEqual({});
});

test('readProcessPage() reads what a proxy answered, as the lanes are counted', () => {
  const page = `# TYPE headgate_requests_total counter
headgate_requests_total{class="2xx"} 90
headgate_requests_total{class="4xx"} 3
headgate_requests_total{class="5xx"} 2
headgate_clients_gone_total{late="yes"} 1
headgate_clients_gone_total{late="no"} 4
`;

  expect(readProcessPage(page, app)).toEqual({ requests: 100, failed: 3, refused: 7 });
});

test('readProcessPage() leaves out what is no count', () => {
  const page = 'headgate_acked_total{stream="ratings-blue"} NaN\nheadgate_acked_total{stream="ratings-green"} -1\n';

  expect(readProcessPage(page, app)).toEqual({});
});
