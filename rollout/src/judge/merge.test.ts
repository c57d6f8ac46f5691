import { expect, test } from '@jest/globals';
import { merge, ruleWeights } from './merge.ts';
import type { RuleReport } from './verdict.ts';

const settings = { alpha: 0.01, beta: 0.01, bakeSec: 180, staleAfterSec: 60 };
const counts = { live: { requests: 1, failures: 0 }, candidate: { requests: 1, failures: 0 } };

function aReport(given: Partial<RuleReport> = {}): RuleReport {
  return {
    name: 'failed',
    kind: 'hold',
    logRollback: -1,
    logPromote: 5,
    needCandidate: 0,
    elapsed: 200,
    at: 200,
    closed: true,
    promotable: true,
    hard: false,
    counts,
    spoke: null,
    ...given,
  };
}

const refused = aReport({ name: 'refused' });

test('ruleWeights() splits a class evenly and rescales the classes at work to 1', () => {
  expect(ruleWeights(['failed', 'refused', 'share', 'guard'])).toEqual([
    expect.closeTo(0.4, 12),
    expect.closeTo(0.4, 12),
    expect.closeTo(0.2, 12),
    0,
  ]);
  expect(ruleWeights(['failed', 'refused'])).toEqual([0.5, 0.5]);
});

test('merge() rolls back on the weighted mean of wealths, so that one rule at 1/alpha is only its part of it', () => {
  const one = merge([aReport({ kind: 'rollback', logRollback: Math.log(100) }), refused], [0.5, 0.5], settings);
  const enough = merge([aReport({ logRollback: Math.log(200) }), refused], [0.5, 0.5], settings);
  const two = merge(
    [aReport({ logRollback: Math.log(100) }), { ...refused, logRollback: Math.log(101) }],
    [0.5, 0.5],
    settings,
  );

  expect(one.kind).not.toBe('rollback');
  expect(one.logRollback).toBeCloseTo(Math.log((100 + Math.exp(-1)) / 2), 12);
  expect(enough).toMatchObject({ kind: 'rollback', reason: 'failed' });
  expect(two).toMatchObject({ kind: 'rollback', reason: 'refused' });
});

test('merge() promotes only when every rule with a promotion side says so', () => {
  const share = aReport({ name: 'share', logPromote: null, needCandidate: null });

  expect(merge([aReport(), refused, share], [0.4, 0.4, 0.2], settings)).toMatchObject({
    kind: 'promote',
    reason: 'good-enough',
    logPromote: 5,
  });
  expect(merge([aReport(), { ...refused, logPromote: 4 }, share], [0.4, 0.4, 0.2], settings)).toMatchObject({
    kind: 'hold',
    reason: 'evidence',
    logPromote: 4,
  });
  expect(merge([share], [1], settings)).toMatchObject({ kind: 'hold', reason: 'evidence', logPromote: null });
});

test.each([
  { why: 'bake', given: { elapsed: 179 } },
  { why: 'stale', given: { at: 139 } },
  { why: 'both-lanes-failing', given: { promotable: false } },
])('merge() holds for $why although the evidence is there', ({ why, given }) => {
  expect(merge([aReport(given), refused], [0.5, 0.5], settings)).toMatchObject({ kind: 'hold', reason: why });
});

test('merge() never promotes on an input that closed no block', () => {
  const old = { closed: false };

  expect(merge([aReport(old), { ...refused, ...old }], [0.5, 0.5], settings).kind).toBe('hold');
});

test('merge() lets a hard rule roll back alone', () => {
  const guard = aReport({ name: 'guard', hard: true, logRollback: 0, logPromote: null });

  expect(merge([aReport(), refused, guard], [0.5, 0.5, 0], settings)).toMatchObject({
    kind: 'rollback',
    reason: 'guard',
  });
});

test('merge() asks for the requests that the slowest rule needs, and says nothing when one cannot tell', () => {
  const needs = (first: number | null) =>
    merge([aReport({ needCandidate: first }), { ...refused, needCandidate: 30 }], [0.5, 0.5], settings).needCandidate;

  expect(needs(20)).toBe(30);
  expect(needs(null)).toBeNull();
});
