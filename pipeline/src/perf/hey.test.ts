import { expect, test } from '@jest/globals';
import { opinionOf } from './hey.ts';

const report = (rate: string) => `
Summary:
  Requests/sec:	${rate}

Latency distribution:
  99% in 0.0180 secs

Status code distribution:
  [200]	4400 responses
  [503]	30 responses
`;

test('opinionOf() says that hey under-delivered: it hides a standstill by sending less', () => {
  expect(opinionOf(report('886.4'), 1_000)).toEqual({
    words: 'hey: 886 requests/s, p99 18 ms, 30 failed',
    underDelivered: 'hey under-delivered: it sent 886 of 1000 requests/s',
  });
  expect(opinionOf(report('998.0'), 1_000).underDelivered).toBeUndefined();
});

test('opinionOf() claims nothing from a report without a rate', () => {
  expect(opinionOf('', 1_000)).toEqual({
    words: 'not cross-checked: the report of hey has no rate',
    underDelivered: undefined,
  });
});
