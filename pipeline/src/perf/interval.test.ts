import { expect, test } from '@jest/globals';
import { interval, randomFrom } from './interval.ts';
import { perfRule } from './rule.ts';

const runs = 200;
const missMax = 0.05;
const { cos, log, PI, sqrt } = Math;

/** Of so many runs over sides that are equal: in how many any look finds one of them surely above, or surely below. */
function wrongs(shareOf: (share: number) => number): { readonly above: number; readonly below: number } {
  const wrong = { above: 0, below: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const random = randomFrom(seed);
    const logs = Array.from({ length: 40 }, () => 0.13 * sqrt(-2 * log(1 - random())) * cos(2 * PI * random()));
    const bounds = perfRule.looks.map(({ rounds, share }) => {
      const miss = missMax * shareOf(share);
      return interval(logs.slice(0, rounds), { below: miss, above: miss });
    });
    if (bounds.some(([low]) => low > 0)) wrong.above++;
    if (bounds.some(([, , high]) => high < 0)) wrong.below++;
  }
  return wrong;
}

test('interval() is wrong in no more runs than it may be though it is looked at again and again, as each look has a share', () => {
  const { above, below } = wrongs((share) => share);

  expect(above).toBeLessThanOrEqual(missMax * runs);
  expect(below).toBeLessThanOrEqual(missMax * runs);
});

test('with the whole chance for each look it would be wrong far more often', () => {
  const { above, below } = wrongs(() => 1);

  expect(above + below).toBeGreaterThan(2 * 2 * missMax * runs);
});
