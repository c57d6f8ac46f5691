import { expect, test } from '@jest/globals';
import { onWeightChange, prime, read, start, step } from './failures.ts';
import { presets } from './presets.ts';

const settings = { alpha: 0.01, beta: 0.01, bakeSec: 60, ...presets.default };
const none = { requests: 0, failures: 0 };
const good = (requests: number) => ({ requests, failures: 0 });

test('a pair promotes only from an input that closes a block', () => {
  let last = step(start(settings, 0.05), good(20_000), good(2_000), 10);
  while (last[1].kind === 'hold' && last[0].elapsed < 300) last = step(last[0], good(2), good(1), 10);
  const after = step(last[0], none, none, 10);

  expect(last[1]).toMatchObject({ kind: 'promote', closed: true });
  expect(after[1]).toMatchObject({ kind: 'hold', closed: false });
  expect(after[1].logPromote).toBe(last[1].logPromote);
});

test('a pair that has seen nothing is closed by nothing, and a weight change moves no wealth', () => {
  const [changed, verdict] = onWeightChange(start(settings, 0.05), 0.25);

  expect(verdict).toMatchObject({ kind: 'hold', closed: false });
  expect(read(changed).logRollback).toBeCloseTo(0, 12);
});

test('what a pair still needs is told by rate and weight at first, then by recent growth', () => {
  const history = prime(start(settings, 0.5), { requests: 1_000_000, failures: 1_000 }, 10);
  const [later] = step(history, { requests: 300, failures: 0 }, good(300), 10);
  const [end, verdict] = step(later, { requests: 100, failures: 0 }, good(100), 10);

  expect(read(history).needCandidate).toBeGreaterThan(1_860);
  expect(read(history).needCandidate).toBeLessThan(1_885);
  const [elapsed, logPromote, requests] = end.pace[0]!;
  expect([elapsed, requests]).toEqual([10, 300]);
  const perRequest = (verdict.logPromote! - logPromote) / 100;
  expect(verdict.needCandidate).toBe(Math.ceil((Math.log(100) - verdict.logPromote!) / perRequest));
});
