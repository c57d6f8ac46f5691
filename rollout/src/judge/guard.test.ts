import { expect, test } from '@jest/globals';
import { limitMsFor, start, step } from './guard.ts';

test.each([
  { candidateOldestMs: 30_001, liveOldestMs: 9_999, kind: 'rollback' },
  { candidateOldestMs: 30_000, liveOldestMs: 9_999, kind: 'hold' },
  { candidateOldestMs: 30_001, liveOldestMs: 10_000, kind: 'hold' },
])('two looks at $candidateOldestMs ms beside $liveOldestMs ms give $kind for a limit of 30 s', ({ kind, ...ages }) => {
  const [once, first] = step(start(30_000), ages, 5);
  const [, second] = step(once, ages, 5);

  expect([first.kind, second.kind]).toEqual(['hold', kind]);
});

test('limitMsFor() is 5 min, a quarter of max age or four timeouts, whichever is least', () => {
  expect(limitMsFor({ maxAgeMs: 3_600_000, timeoutMs: 5_000 })).toBe(20_000);
  expect(limitMsFor({ maxAgeMs: 40_000, timeoutMs: 5_000 })).toBe(10_000);
  expect(limitMsFor({ maxAgeMs: 86_400_000, timeoutMs: 600_000 })).toBe(300_000);
});
