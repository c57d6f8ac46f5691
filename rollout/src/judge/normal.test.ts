import { expect, test } from '@jest/globals';
import { upperTail } from './normal.ts';

test.each([
  [0, 0.5],
  [0.5, 0.308537538725987],
  [1, 0.158655253931457],
  [2.9, 0.00186581330038404],
  [3.1, 0.000967603213218332],
  [5, 2.86651571879194e-7],
  [-1.5, 0.933192798731142],
])('upperTail(%p) is %p, to 1e-10', (z, tail) => {
  expect(Math.abs(upperTail(z) - tail)).toBeLessThan(1e-10);
});
