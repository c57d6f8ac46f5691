import { expect, test } from '@jest/globals';
import { upperBound } from './clopper-pearson.ts';

test('upperBound() without a failure is 1 - 0.01^(1/n)', () => {
  for (const requests of [1, 10, 1_000, 1_000_000]) {
    const exact = -Math.expm1(Math.log(0.01) / requests);
    expect(upperBound({ requests, failures: 0 }, 0.99) / exact).toBeCloseTo(1, 9);
  }
});

test.each([
  { requests: 100, failures: 5 },
  { requests: 100, failures: 99 },
  { requests: 5_000, failures: 12 },
  { requests: 200_000, failures: 400 },
])('$failures of $requests or fewer have the chance 1 % at upperBound()', ({ requests, failures }) => {
  const p = upperBound({ requests, failures }, 0.99);

  expect(chanceOfAtMost(failures, requests, p)).toBeCloseTo(0.01, 8);
});

test('upperBound() is 1 when nothing, or nothing but failures, was seen', () => {
  expect(upperBound({ requests: 0, failures: 0 }, 0.99)).toBe(1);
  expect(upperBound({ requests: 7, failures: 7 }, 0.99)).toBe(1);
});

function chanceOfAtMost(f: number, n: number, p: number): number {
  let log = n * Math.log1p(-p);
  let sum = Math.exp(log);
  for (let k = 1; k <= f; k++) {
    log += Math.log((n - k + 1) / k) + Math.log(p) - Math.log1p(-p);
    sum += Math.exp(log);
  }
  return sum;
}
