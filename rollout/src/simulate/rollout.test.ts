import { expect, test } from '@jest/globals';
import { playRollout } from './rollout.ts';

const seeds = Number(process.env['HEADGATE_SEEDS'] ?? 300);
const first = Number(process.env['HEADGATE_SEED'] ?? 1);

test(`playRollout() keeps every promise in ${seeds} worlds that break`, () => {
  const ends: Record<string, number> = {};
  const broken: unknown[] = [];

  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = playRollout(seed);
    ends[outcome.end] = (ends[outcome.end] ?? 0) + 1;
    if (outcome.broken.length > 0) broken.push(outcome);
  }

  expect(broken.slice(0, 5)).toEqual([]);
  expect(ends['promoted']).toBeGreaterThan(seeds / 20);
  expect(ends['rolledBack']).toBeGreaterThan(seeds / 5);
}, 120_000);
