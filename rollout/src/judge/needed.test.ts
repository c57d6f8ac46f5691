import { expect, test } from '@jest/globals';
import { neededToPromote, neededToRollBack } from './needed.ts';
import { presets } from './presets.ts';

test.each([
  { preset: 'default', beta: 0.01, needs: [1298, 1872, 3553, 1922] },
  { preset: 'default', beta: 0.05, needs: [844, 1218, 2311, 1250] },
  { preset: 'relaxed', beta: 0.05, needs: [198, 226, 353, 308] },
] as const)('neededToPromote() at 50 %, $preset, beta $beta', ({ preset, beta, needs }) => {
  const line = presets[preset].unacceptable;

  const found = [0.0001, 0.001, 0.01, 0.05].map((p) => neededToPromote(Math.log(1 / beta), { p, weight: 0.5, line }));

  expect(found.map((need) => Math.round(need - 0.01))).toEqual(needs);
});

test.each([
  { pL: 0.001, needs: [691, 228, 105, 30] },
  { pL: 0.01, needs: [5655, 505, 161, 36] },
])('neededToRollBack() at 50 %, alpha 0.01, from $pL', ({ pL, needs }) => {
  const line = presets.default.tolerated;

  const found = [0.02, 0.05, 0.1, 0.3].map((pC) => neededToRollBack(Math.log(100), { pL, pC, weight: 0.5, line }));

  expect(found.map(Math.round)).toEqual(needs);
});

test('a small candidate beside a large live lane needs fewer requests of its own', () => {
  const at = (weight: number) =>
    neededToRollBack(Math.log(100), { pL: 0.01, pC: 0.05, weight, line: presets.default.tolerated });

  expect(at(0.05)).toBeLessThan(at(0.5) / 2);
});
