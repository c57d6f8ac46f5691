import { expect, test } from '@jest/globals';
import { wordsOf } from './hey.ts';

const report = (rate: string) => `
Summary:
  Requests/sec:	${rate}

Latency distribution:
  99% in 0.0180 secs

Status code distribution:
  [200]	4400 responses
  [503]	30 responses
`;

test('wordsOf() says that hey under-delivered: it hides a standstill by sending less', () => {
  expect(wordsOf(report('886.4'), 1_000)).toEqual([
    'hey: 886 requests/s, p99 18 ms, 30 failed',
    'hey under-delivered: it sent 886 of 1000 requests/s',
  ]);
  expect(wordsOf(report('998.0'), 1_000)).toHaveLength(1);
});

test('wordsOf() claims nothing from a report without a rate', () => {
  expect(wordsOf('', 1_000)).toEqual(['not cross-checked: the report of hey has no rate']);
});
