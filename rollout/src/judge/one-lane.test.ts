import { expect, test } from '@jest/globals';
import { lineAt } from './block.ts';
import { upperBound } from './clopper-pearson.ts';
import { onWeightChange, read, refer, start, step } from './one-lane.ts';
import { presets } from './presets.ts';

const { tolerated } = presets.default;
const history = { requests: 60_000, failures: 60 };
const settings = { alpha: 0.01, tolerated, kappa: 1 };

test('the bound is what is tolerated at the 99 % upper bound of history', () => {
  expect(start(settings, history).bound).toBe(lineAt(tolerated, upperBound(history, 0.99)));
  expect(start(settings, history).bound).toBeCloseTo(1.1 * 0.00134 + 0.0005, 5);
});

test('a block wins what the likelihood ratios say', () => {
  const bound = 0.02;
  const [, verdict] = step({ ...start(settings, history), bound }, { requests: 50, failures: 3 }, 1);

  const odds = bound / (1 - bound);
  const rates = [...[1.7, 3, 7, 25].map((times) => (times * odds) / (1 + times * odds)), 0.95];
  const ratios = rates.map((q) => (q / bound) ** 3 * ((1 - q) / (1 - bound)) ** 47);
  const weights = [0.28, 0.28, 0.22, 0.12, 0.1];
  const wealth = 0.25 + 0.75 * ratios.reduce((sum, ratio, k) => sum + weights[k]! * ratio, 0);
  expect(verdict).toMatchObject({ closed: true, logRollback: expect.closeTo(Math.log(wealth), 10) });
});

test('no single event of up to two seconds decides', () => {
  const bad = { requests: 1_000_000, failures: 1_000_000 };
  const [once, first] = step(start(settings, history), bad, 2);

  expect(first.logRollback).toBeLessThanOrEqual(3.5);
  expect(first.kind).toBe('hold');
  expect(step(once, bad, 2)[1].kind).toBe('rollback');
});

test('a block waits for four requests, and closes early when the weight changes', () => {
  const [open, waiting] = step(start(settings, history), { requests: 3, failures: 3 }, 1);
  const [changed, closed] = onWeightChange(open);

  expect(waiting).toMatchObject({ closed: false, logRollback: expect.closeTo(0, 12) });
  expect(closed.closed).toBe(true);
  expect(closed.logRollback).toBeGreaterThan(2);
  expect(read(changed).logRollback).toBeCloseTo(closed.logRollback, 12);
});

test('refer() takes another history for the next block, never for the open one', () => {
  const better = { requests: 600_000, failures: 60 };
  const reference = { history: better, kappa: 2 };
  const [open] = step(start(settings, history), { requests: 3, failures: 0 }, 1);
  const [closed] = step(open, { requests: 3, failures: 0 }, 1);

  expect(refer(open, reference, { tolerated })).toBe(open);
  expect(refer(closed, reference, { tolerated })).toMatchObject({
    bound: start(settings, better).bound,
    kappa: 2,
    ledger: closed.ledger,
  });
});
