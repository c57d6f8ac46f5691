import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as capacity from './capacity.ts';
import * as failures from './failures.ts';
import * as guard from './guard.ts';
import { dense, total } from './histogram.ts';
import * as latency from './latency.ts';
import * as latencyState from './latency-state.ts';
import { cashOf, type Ledger } from './ledger.ts';
import type { Lines } from './presets.ts';
import * as share from './share.ts';
import type { LaneCounts, RuleVerdict } from './verdict.ts';

type Pair = readonly [requests: number, failures: number];
type Figures = { readonly [field: string]: number | readonly number[] | boolean | string | null };
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
  readonly rule: 'failures' | 'latency' | 'share' | 'queue';
  readonly settings: Lines & { alpha: number; beta: number; bake: number; weight: number; guardSec: number } & Pick<
      latencyState.LatencySettings,
      'toleratedShift' | 'unacceptableShift'
    >;
  readonly prime: readonly {
    readonly live: never;
    readonly dt: number;
    readonly arrivalsPerSec: number;
    readonly weight: number;
  }[];
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

test.each(tracesOf('latency'))('the latency rule gives every figure of $name', ({ settings, prime, blocks }) => {
  const { bake: bakeSec, ...rest } = settings;
  let state = latencyState.start({ ...rest, bakeSec, slackMs: 0 }, 0.1);
  for (const { live, dt } of prime) state = latency.prime(state, dense(live), dt);

  for (const [index, entry] of blocks.entries()) {
    const before = state;
    const [next, verdict] =
      entry.event === 'weightChange'
        ? latency.onWeightChange(state, entry.weight)
        : latency.step(state, dense(entry.live), dense(entry.candidate), entry.dt);
    state = throughJournal(next);

    expectVerdict(index, verdict, entry.expect);
    expectFigures(index, { ...latencyFigures(before, next, entry), ...verdict }, entry.expect);
  }
});

test.each(tracesOf('queue'))('the queue rule and its guard give every figure of $name', (trace) => {
  const { settings, prime, blocks } = trace;
  const { alpha, beta, bake: bakeSec, weight, guardSec } = settings;
  let state = capacity.start({ alpha, beta, bakeSec }, weight);
  for (const { arrivalsPerSec, weight: primed } of prime) state = capacity.prime(state, arrivalsPerSec, primed);
  let looks = guard.start(guardSec * 1000);

  for (const [index, entry] of blocks.entries()) {
    const before = state;
    const { live, candidate, dt } = entry;
    const [next, said] =
      entry.event === 'weightChange'
        ? capacity.onWeightChange(state, entry.weight)
        : capacity.step(state, { expired: 0, ...(live as Queue) }, { expired: 0, ...(candidate as Queue) }, dt);
    state = throughJournal(next);
    if (entry.event !== 'weightChange') {
      const ages = { liveOldestMs: 1000 * (live as Queue).age, candidateOldestMs: 1000 * (candidate as Queue).age };
      looks = guard.step(looks, ages, dt)[0];
    }
    const stops = guard.read(looks);

    expectVerdict(index, stops.hard ? { ...stops, closed: said.closed } : said, entry.expect);
    expectFigures(index, { ...queueFigures(before, next, entry), guard: looks.looks, ...said }, entry.expect);
  }
});

/** A state may be saved and loaded at any moment. */
function throughJournal<State>(state: State): State {
  return JSON.parse(JSON.stringify(state)) as State;
}

function expectVerdict(index: number, { closed, kind }: RuleVerdict, expected: Figures): void {
  expect([index, closed, kind]).toEqual([index, expected['closed'], expected['verdict']]);
}

/** What is in the open block after the entry, for one that closes none; else the block as it was scored. */
function latencyFigures(before: latencyState.LatencyState, after: latencyState.LatencyState, entry: Entry) {
  const change = entry.event === 'weightChange';
  const live = change ? [] : dense(entry.live);
  const candidate = change ? [] : dense(entry.candidate);
  const open = { live: sum(before.open.live, live), candidate: sum(before.open.candidate, candidate) };
  const stakes = latencyState.outlook(before);
  const beyond = latencyState.exceedances(open);
  const blocks = stakes.map(({ edge }, k) =>
    beyond(
      edge,
      edge + (k < latencyState.levels.length ? before.settings.toleratedShift : before.settings.unacceptableShift),
    ),
  );
  const { worse, good } = latencyState.logWealths(after);
  const closed = entry.expect['closed'] === true;
  return {
    n: closed ? [total(open.live), total(open.candidate)] : [total(after.open.live), total(after.open.candidate)],
    edge: stakes.map(({ edge }) => edge),
    a: stakes.map(({ a }) => a),
    kappa: stakes.map(({ kappa }) => kappa),
    fL: blocks.map(({ fL }) => fL),
    fC: blocks.map(({ fC }) => fC),
    N: total(after.past),
    cash: after.rollback.map(cashOf),
    tranche: after.rollback.map(({ tranche }) => tranche),
    levelLog: worse,
    tauLog: good,
  };
}

function sum(one: readonly number[], other: readonly number[]): number[] {
  return Array.from({ length: Math.max(one.length, other.length) }, (_, i) => (one[i] ?? 0) + (other[i] ?? 0));
}

type Queue = { readonly arrived: number; readonly acked: number; readonly backlog: number; readonly age: number };

function queueFigures(before: capacity.CapacityState, after: capacity.CapacityState, entry: Entry) {
  const change = entry.event === 'weightChange';
  const none = { arrived: 0, acked: 0 };
  const live = change ? none : (entry.live as Queue);
  const candidate = change ? none : (entry.candidate as Queue);
  const whole = {
    ...before.open,
    live: { arrived: before.open.live.arrived + live.arrived, acked: before.open.live.acked + live.acked },
    candidate: {
      arrived: before.open.candidate.arrived + candidate.arrived,
      acked: before.open.candidate.acked + candidate.acked,
    },
    seconds: before.open.seconds + (change ? 0 : entry.dt),
  };
  const figures = ({ live, candidate, seconds }: typeof whole) => [
    live.arrived,
    live.acked,
    candidate.arrived,
    candidate.acked,
    seconds,
  ];
  return {
    ...ledgerFigures(after.ledger),
    ...capacity.scoreOf({ ...before, open: whole }),
    block: figures(whole),
    acc: figures(after.open),
    start: [before.began.live, before.began.candidate],
    R: after.arrivalsPerSec,
    lnV: after.credit,
  };
}

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
    if (typeof value === 'boolean' || typeof value === 'string') continue;
    if (value === null) {
      expect([index, field, seen[field]]).toEqual([index, field, null]);
      continue;
    }
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
