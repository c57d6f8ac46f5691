import { expect, test } from '@jest/globals';
import { type LaneQueue, leastMean, onWeightChange, prime, start, step } from './capacity.ts';

const settings = { alpha: 0.01, beta: 0.01, bakeSec: 0 };
const steady: LaneQueue = { arrived: 50, acked: 50, expired: 0, backlog: 0 };

test.each([
  [8, 0.78074],
  [20, 0.88849],
  [100, 0.97851],
])('leastMean(%p) is %p', (need, mean) => {
  expect(leastMean(need)).toBeCloseTo(mean, 5);
});

test('step() neither counts expired messages as worked off nor promotes in a block that has them', () => {
  let state = prime(start(settings, 0.5), 20, 0.5);
  for (let look = 0; look < 40; look++) state = step(state, steady, steady, 5)[0];
  const credit = state.credit;
  state = step(state, steady, steady, 5)[0];
  const [, good] = step(state, steady, steady, 5);
  const [spoilt, bad] = step(state, steady, { ...steady, acked: 40, expired: 10 }, 5);

  expect(good.kind).toBe('promote');
  expect(bad).toMatchObject({ kind: 'hold', closed: true, promotable: false });
  expect(spoilt.credit).toBeLessThanOrEqual(credit);
  expect(bad.counts.candidate.failures - good.counts.candidate.failures).toBe(10);
});

test('step() learns the rate from the first messages when nothing was known of it', () => {
  const quiet = { arrived: 0, acked: 0, expired: 0, backlog: 0 };
  const [silent] = step(start(settings, 0.5), quiet, quiet, 30);
  const [heard] = step(silent, steady, steady, 5);

  expect(silent.arrivalsPerSec).toBe(0);
  expect(heard.arrivalsPerSec).toBeGreaterThan(0);
});

test('nothing is scored at weight 0, and a weight change with nothing open closes nothing', () => {
  const idle = prime(start(settings, 0), 20, 0);
  const [after, verdict] = onWeightChange(idle, 0.05);
  const [stuck] = step({ ...idle, began: { live: 0, candidate: 500 } }, steady, { ...steady, acked: 0 }, 60);

  expect(verdict.closed).toBe(false);
  expect(after.weight).toBe(0.05);
  expect(stuck.ledger).toEqual(idle.ledger);
});
