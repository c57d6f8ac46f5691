import { expect, test } from '@jest/globals';
import { cashOf, logSumExp, logWealth, openLedger, release, settle } from './ledger.ts';

const weights = [0.6, 0.4];

test('a ledger starts with wealth 1, and releasing tranches does not change it', () => {
  let ledger = openLedger(weights);
  for (let change = 0; change < 100; change++) {
    expect(logWealth(ledger)).toBeCloseTo(0, 12);
    ledger = release(ledger, weights);
  }
  expect(cashOf(ledger)).toBeGreaterThan(0);
});

test('settle() releases a tranche once the arms are 3 nats below the cash, one at most', () => {
  const behind = settle(openLedger(weights), [-5, -5], weights);
  const level = settle(openLedger(weights), [-4, -4], weights);

  expect(behind.tranche).toBe(2);
  expect(cashOf(behind)).toBe(0.125);
  expect(level.tranche).toBe(1);
});

test('settle() keeps the last 0.0001 of the cash', () => {
  let ledger = openLedger(weights);
  for (let block = 0; block < 3_000; block++) ledger = settle(ledger, [-50, -50], weights);

  expect(ledger.tranche).toBe(2_500);
});

test('logSumExp() neither overflows nor underflows', () => {
  expect(logSumExp([1_000, 1_000])).toBeCloseTo(1_000 + Math.LN2, 9);
  expect(logSumExp([-1_000, -2_000])).toBe(-1_000);
});
