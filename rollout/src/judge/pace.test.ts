import { expect, test } from '@jest/globals';
import { keepPace, type Mark, type Pace, recentGrowth } from './pace.ts';

/** One second, a tenth of a nat and two requests at a time. */
const mark = (second: number): Mark => [second, second / 10, second * 2];

test('keepPace() keeps a mark every 10 s of the last 60 s, and one before', () => {
  let pace: Pace = [];
  for (let second = 1; second <= 500; second++) pace = keepPace(pace, mark(second));

  expect(pace.map(([elapsed]) => elapsed)).toEqual([431, 441, 451, 461, 471, 481, 491]);
});

test('recentGrowth() is in nats per request, and unknown without requests', () => {
  expect(recentGrowth([mark(10), mark(20)], mark(25))).toBeCloseTo(0.05, 12);
  expect(recentGrowth([mark(10)], [40, 3, 20])).toBeUndefined();
  expect(recentGrowth([], mark(5))).toBeUndefined();
});
