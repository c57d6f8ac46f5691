import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as failures from './failures.ts';
import * as guard from './guard.ts';
import { cashOf, type Ledger } from './ledger.ts';
import type { Lines } from './presets.ts';
import * as share from './share.ts';
import type { LaneCounts } from './verdict.ts';

type Pair = readonly [requests: number, failures: number];
type Figures = { readonly [field: string]: number | readonly number[] | boolean | string };
type Entry = {
  readonly event?: 'weightChange';
  readonly weight: number;
  readonly live: never;
  readonly candidate: never;
  readonly dt: number;
  readonly expect: Figures;
};
type Trace = {
  readonly name: string;
  readonly rule: 'failures' | 'share' | 'queue';
  readonly settings: Lines & { alpha: number; beta: number; bake: number; weight: number; guardSec: number };
  readonly prime: readonly { readonly live: Pair; readonly dt: number }[];
  readonly blocks: readonly Entry[];
};

const file = JSON.parse(readFileSync(new URL('./judge-traces.json', import.meta.url), 'utf8')) as { traces: Trace[] };
const tracesOf = (rule: Trace['rule']) => file.traces.filter((trace) => trace.rule === rule);

test.each(tracesOf('failures'))('the pair rule gives every figure of $name', ({ settings, prime, blocks }) => {
  const { alpha, beta, bake: bakeSec, tolerated, unacceptable } = settings;
  let state = failures.start({ alpha, beta, bakeSec, tolerated, unacceptable }, 0.05);
  for (const { live, dt } of prime) state = failures.prime(state, laneCounts(live), dt);

  for (const [index, entry] of blocks.entries()) {
    const before = state;
    const [next, verdict] =
      entry.event === 'weightChange'
        ? failures.onWeightChange(state, entry.weight)
        : failures.step(state, laneCounts(entry.live), laneCounts(entry.candidate), entry.dt);
    state = next;

    const { closed, verdict: kind, ...figures } = entry.expect;
    expect([index, verdict.closed, verdict.kind]).toEqual([index, closed, kind]);
    const { scored, ...seen }: Record<string, unknown> = { ...seenIn(before, next, entry), ...verdict };
    expectFigures(index, seen, figures);
    if ('scored' in figures) expect([index, scored]).toEqual([index, figures['scored']]);
  }
});

test.each(tracesOf('share'))('the share guard gives every figure of $name', ({ settings, blocks }) => {
  let state = share.start(settings);
  for (const [index, entry] of blocks.entries()) {
    const counted = { live: entry.live as number, candidate: entry.candidate as number };
    const { weight } = state;
    const [next, verdict] =
      entry.event === 'weightChange' ? share.onWeightChange(state, entry.weight) : share.step(state, counted, entry.dt);
    state = next;

    const { verdict: kind, ...figures } = entry.expect;
    expect([index, verdict.kind]).toEqual([index, kind]);
    const bets = entry.event === 'weightChange' ? {} : { logE: share.gains(weight, counted) };
    expectFigures(
      index,
      { ...ledgerFigures(state.ledger), ...bets, b: share.smallestShare(weight), ...verdict },
      figures,
    );
  }
});

test.each(tracesOf('queue'))('the hard guard counts the looks of $name', ({ settings, blocks }) => {
  let state = guard.start(settings.guardSec * 1000);
  for (const [index, { live, candidate, dt, expect: expected }] of blocks.entries()) {
    const ages = { liveOldestMs: ageMs(live), candidateOldestMs: ageMs(candidate) };
    const [next, verdict] = guard.step(state, ages, dt);
    state = next;

    expect([index, state.looks, verdict.kind]).toEqual([index, expected['guard'], expected['verdict']]);
    expect(verdict.hard).toBe(verdict.kind === 'rollback');
  }
});

/** The file's names for the pair rule's figures: the block as it was bet on, and the state after it. */
function seenIn(before: failures.PairState, after: failures.PairState, entry: Entry): Record<string, unknown> {
  const { memory, dispersion, open, promotion } = after;
  const change = entry.event === 'weightChange';
  const [nL, fL] = change ? [0, 0] : (entry.live as Pair);
  const [nC, fC] = change ? [0, 0] : (entry.candidate as Pair);
  const block = [before.open.nL + nL, before.open.fL + fL, before.open.nC + nC, before.open.fC + fC];
  return {
    ...ledgerFigures(after.rollback),
    ...failures.outlook(before),
    block,
    scored: after.promotion !== before.promotion,
    acc: [open.nL, open.fL, open.nC, open.fC, open.seconds],
    V: promotion,
    F: memory.failures,
    N: memory.requests,
    sum: dispersion.sum,
    cnt: dispersion.count,
  };
}

function ledgerFigures(ledger: Ledger) {
  return { W: ledger.arms, cash: cashOf(ledger), tranche: ledger.tranche };
}

/** Every number that the file gives, to 1e-6 max(1, |expected|). */
function expectFigures(index: number, seen: Record<string, unknown>, expected: Figures): void {
  for (const [field, value] of Object.entries(expected)) {
    if (typeof value === 'boolean') continue;
    const want = [value].flat() as number[];
    const got = [seen[field]].flat() as number[];
    const wrong =
      want.length !== got.length || want.some((x, i) => !(Math.abs(x - got[i]!) <= 1e-6 * Math.max(1, Math.abs(x))));
    if (wrong) throw new Error(`Entry ${index}, ${field}: expected ${want.join(' ')}, got ${got.join(' ')}`);
  }
}

function laneCounts([requests, failed]: Pair): LaneCounts {
  return { requests, failures: failed };
}

function ageMs(lane: { readonly age: number }): number {
  return lane.age * 1000;
}
