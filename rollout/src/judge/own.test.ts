import { describe, expect, test } from '@jest/globals';
import {
  defaultJudge,
  type JudgeSettings,
  type JudgeState,
  primeJudge,
  startJudge,
  startWatch,
  stepJudge,
} from './judge.ts';
import type { OwnMetrics } from './own.ts';
import { countsOnly, type Sample } from './sample.ts';
import type { Verdict } from './verdict.ts';

const orders: OwnMetrics = { orders: { kind: 'failures', tolerate: 'default', dryRun: false } };
const p99: OwnMetrics = { p99: { kind: 'limit', min: null, max: 0.5, looks: 3, dryRun: false } };
const dry = (own: OwnMetrics): OwnMetrics =>
  Object.fromEntries(Object.entries(own).map(([name, metric]) => [name, { ...metric, dryRun: true }]));

/** A second in which both lanes answer everything well. */
const sample: Sample = {
  ...countsOnly,
  seconds: 1,
  candidateShare: 25,
  live: { requests: 300, failed: 0, refused: 0 },
  candidate: { requests: 100, failed: 0, refused: 0 },
};
const placed = (candidateFailures: number): Sample['own'] => ({
  orders: {
    seconds: 1,
    live: { requests: 300, failures: 0 },
    candidate: { requests: 100, failures: candidateFailures },
  },
});

function aJudge(given: Partial<JudgeSettings>): JudgeState {
  const before = { ...countsOnly, seconds: 60, live: { requests: 20_000, failed: 0, refused: 0 } };
  return primeJudge(startJudge({ ...defaultJudge, bakeSec: 10, ...given }), before);
}

function judged(state: JudgeState, seconds: number, given: Partial<Sample>): Verdict {
  let verdict: Verdict | undefined;
  for (let now = state, t = 0; t < seconds; t++) [now, verdict] = stepJudge(now, { ...sample, ...given });
  if (verdict === undefined) throw new RangeError('at least a second');
  return verdict;
}

describe("a failure metric of the user's own", () => {
  test('rolls back a candidate whose requests are all fine', () => {
    expect(judged(aJudge({ own: orders }), 10, { own: placed(30) })).toMatchObject({
      kind: 'rollback',
      reason: 'metric:orders',
    });
    expect(judged(aJudge({ own: orders }), 300, { own: placed(0) })).toMatchObject({ kind: 'promote' });
  });

  test('shares the part of the one error budget that failures have', () => {
    const { rules, logRollback } = judged(aJudge({ own: orders }), 2, { own: placed(3) });
    const wealth = (name: string) => Math.exp(rules.find((rule) => rule.name === name)?.logRollback ?? 0);

    // Failures have 0.4 of 0.5, as latencies and a queue are not judged here; three metrics share it.
    const third = 0.4 / 0.5 / 3;
    const mean =
      third * (wealth('failed') + wealth('refused') + wealth('metric:orders')) + (0.1 / 0.5) * wealth('share');
    expect(Math.exp(logRollback)).toBeCloseTo(mean, 9);
  });

  test('is waited for: what is not read promotes nobody, and is named when it lasts', () => {
    expect(judged(aJudge({ own: orders }), 50, {})).toMatchObject({ kind: 'hold', reason: 'evidence' });
    expect(judged(aJudge({ own: orders }), 300, {})).toMatchObject({ kind: 'hold', reason: 'stale' });
  });

  test('on its dry run is shown and moves nothing', () => {
    const bad = judged(aJudge({ own: dry(orders) }), 300, { own: placed(30) });
    const without = judged(aJudge({}), 300, {});
    const missing = judged(aJudge({ own: dry(orders) }), 300, {});

    const shown = bad.rules.find(({ name }) => name === 'metric:orders');
    expect(shown?.logRollback).toBeGreaterThan(Math.log(1_000));
    expect({ ...bad, rules: [] }).toEqual({ ...without, rules: [] });
    expect(missing.kind).toBe('promote');
  });

  test("is judged against live's own past in the watch", () => {
    const past = { requests: 50_000, failed: 0, refused: 0, own: { orders: { requests: 50_000, failures: 10 } } };
    const watch = startWatch({ ...defaultJudge, own: orders }, past, { failed: 1, refused: 1 });
    const unknown = startWatch({ ...defaultJudge, own: orders }, { ...past, own: {} }, { failed: 1, refused: 1 });

    expect(judged(watch, 20, { own: placed(10) })).toMatchObject({ kind: 'rollback', reason: 'metric:orders' });
    expect(judged(watch, 300, { own: placed(0) })).toMatchObject({ kind: 'hold' });
    expect(judged(unknown, 300, { own: placed(50) })).toMatchObject({ kind: 'hold' });
  });
});

describe('a static limit', () => {
  const seen = (candidate: number, live: number | null = 0.2) => ({ values: { p99: { live, candidate } } });

  test('rolls back in the reading in which the candidate alone has been beyond it often enough', () => {
    expect(judged(aJudge({ own: p99 }), 2, seen(0.6))).toMatchObject({ kind: 'hold', reason: 'beyond-limit' });
    expect(judged(aJudge({ own: p99 }), 3, seen(0.6))).toMatchObject({ kind: 'rollback', reason: 'limit:p99' });
    expect(judged(aJudge({ own: p99 }), 3, seen(0.6, null))).toMatchObject({ kind: 'rollback' });
    expect(judged(aJudge({ own: p99 }), 3, seen(0.5))).toMatchObject({ kind: 'hold' });
  });

  test('blames nobody and promotes nobody while live is beyond it too', () => {
    expect(judged(aJudge({ own: p99 }), 300, seen(0.6, 0.7))).toMatchObject({ kind: 'hold', reason: 'beyond-limit' });
  });

  test('takes no part in the error budget', () => {
    const { logRollback } = judged(aJudge({ own: p99 }), 300, seen(0.3));

    expect(logRollback).toBe(judged(aJudge({}), 300, {}).logRollback);
  });

  test('may have values below zero, and a lower bound', () => {
    const own: OwnMetrics = { spare: { kind: 'limit', min: -1, max: null, looks: 1, dryRun: false } };
    const values = (candidate: number) => ({ values: { spare: { live: 0, candidate } } });

    expect(judged(aJudge({ own }), 1, values(-0.5)).kind).toBe('hold');
    expect(judged(aJudge({ own }), 1, values(-1.5)).kind).toBe('rollback');
  });

  test('that is not read is no look, and holds when it lasts', () => {
    expect(judged(aJudge({ own: p99 }), 300, {})).toMatchObject({ kind: 'hold', reason: 'stale' });
  });

  test('on its dry run moves nothing', () => {
    expect(judged(aJudge({ own: dry(p99) }), 300, seen(0.9))).toMatchObject({ kind: 'promote' });
  });
});
