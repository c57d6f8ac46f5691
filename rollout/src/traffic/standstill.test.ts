import { expect, test } from '@jest/globals';
import { watchStandstill } from './standstill.ts';

const counters = (values: Record<string, number>): ReadonlyMap<string, number> => new Map(Object.entries(values));

test('stillMs() is the time since the last of all counters moved', () => {
  const standstill = watchStandstill();

  expect(standstill.stillMs(counters({ a: 5, b: 7 }), 1_000)).toBe(0);
  expect(standstill.stillMs(counters({ a: 5, b: 7 }), 1_900)).toBe(900);
  expect(standstill.stillMs(counters({ a: 6, b: 7 }), 2_000)).toBe(0);
  expect(standstill.stillMs(counters({ a: 6, b: 7 }), 4_000)).toBe(2_000);
});

test('stillMs() begins anew with a counter that comes, that came back, or that begins anew', () => {
  const standstill = watchStandstill();
  standstill.stillMs(counters({ a: 5 }), 0);

  expect(standstill.stillMs(counters({ a: 5, b: 0 }), 3_000)).toBe(0);
  expect(standstill.stillMs(counters({ b: 0 }), 6_000)).toBe(3_000);
  expect(standstill.stillMs(counters({ a: 5, b: 0 }), 7_000)).toBe(0);
  expect(standstill.stillMs(counters({ a: 0, b: 0 }), 9_000)).toBe(0);
});

test('stillMs() of nothing to wait for is for ever', () => {
  expect(watchStandstill().stillMs(new Map(), 0)).toBe(Infinity);
});
