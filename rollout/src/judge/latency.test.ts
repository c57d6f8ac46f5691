import { expect, test } from '@jest/globals';
import { type Chance, seeded } from './chance.rig.ts';
import { dense, edgeMs, type Histogram, thresholds, total } from './histogram.ts';
import { onWeightChange, prime, read, step } from './latency.ts';
import { type LatencyState, start } from './latency-state.ts';

const settings = { alpha: 0.01, beta: 0.01, bakeSec: 60, toleratedShift: 2, unacceptableShift: 8, slackMs: 0 };

/** Latencies about `ms`, with a slow mode of ten times that for one in fifty. */
function drawn(chance: Chance, requests: number, ms: number): Histogram {
  const counts: number[] = [];
  for (let i = 0; i < requests; i++) {
    const slow = chance() < 0.02 ? 10 : 1;
    const spread = Math.exp(0.3 * (chance() + chance() + chance() - 1.5));
    const bucket = Math.floor(Math.log(ms * slow * spread) / Math.log(1.05));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}

function primed(chance: Chance): LatencyState {
  let state = start(settings, 0.25);
  for (let stretch = 0; stretch < 60; stretch++) state = prime(state, drawn(chance, 1_000, 40), 10);
  return state;
}

test('a candidate whose requests take twice as long is rolled back, and the quantile that says most is named', () => {
  const chance = seeded(1);
  let state = primed(chance);
  let verdict = read(state);
  let looks = 0;
  while (verdict.kind !== 'rollback' && looks < 60) {
    [state, verdict] = step(state, drawn(chance, 150, 40), drawn(chance, 50, 80), 2);
    looks++;
  }

  expect(verdict).toMatchObject({ kind: 'rollback', spoke: { kind: 'quantile', level: 0.5 } });
  expect(looks).toBeLessThan(10);
  const { live, candidate } = verdict.counts;
  expect(candidate.failures / candidate.requests).toBeGreaterThan((2 * live.failures) / live.requests - 0.3);
});

test('an equal candidate is promoted after the bake, never before', () => {
  const chance = seeded(2);
  let state = primed(chance);
  let verdict = read(state);
  while (verdict.kind === 'hold' && state.elapsed < 600) {
    [state, verdict] = step(state, drawn(chance, 150, 40), drawn(chance, 50, 40), 2);
  }

  expect(verdict.kind).toBe('promote');
  expect(state.elapsed).toBeGreaterThanOrEqual(60);
});

test('a few ms of slack forgive what is small in ms, and nothing that is large', () => {
  const end = (ms: number, slackMs: number) => {
    const chance = seeded(5);
    let state = start({ ...settings, slackMs }, 0.25);
    for (let stretch = 0; stretch < 60; stretch++) state = prime(state, drawn(chance, 1_000, 4), 10);
    let verdict = read(state);
    for (let look = 0; look < 60 && verdict.kind !== 'rollback'; look++) {
      [state, verdict] = step(state, drawn(chance, 150, 4), drawn(chance, 50, ms), 2);
    }
    return verdict.kind;
  };

  expect([end(5, 0), end(5, 5), end(16, 5)]).toEqual(['rollback', expect.not.stringMatching('rollback'), 'rollback']);
});

test('no latencies, or those of one lane, move no wealth', () => {
  const state = primed(seeded(3));
  const before = read(state);
  const [quiet] = step(state, [], [], 10);
  const [alone] = onWeightChange(step(state, drawn(seeded(4), 50, 400), [], 10)[0], 0.5);

  expect(read(quiet).logRollback).toBe(before.logRollback);
  expect(read(alone).logPromote).toBe(before.logPromote);
});

test('thresholds() takes the largest edge with enough of the past above it, and the first one without any', () => {
  const past = dense([
    [0, 50],
    [40, 40],
    [60, 10],
  ]);

  expect(thresholds(past, [0.5, 0.9, 0.99])).toEqual([
    { edge: 40, a: 50.5 / 101 },
    { edge: 60, a: 10.5 / 101 },
    { edge: 60, a: 10.5 / 101 },
  ]);
  expect(thresholds([], [0.5])).toEqual([{ edge: 1, a: 0.99 }]);
  expect(thresholds(dense([[0, 9]]), [0.5])).toEqual([{ edge: 1, a: 0.99 }]);
  expect(total(past)).toBe(100);
  expect(edgeMs(40)).toBeCloseTo(7.04, 2);
});
