import type { Chance } from '../src/judge/chance.rig.ts';
import type { Histogram } from '../src/judge/histogram.ts';
import * as latency from '../src/judge/latency.ts';
import { start } from '../src/judge/latency-state.ts';
import { latencyPresets } from '../src/judge/presets.ts';
import { allowed, median, share } from './figures.ts';
import { nextChance, report, runsOf } from './part.ts';

/** One latency in ms. */
type Shape = (chance: Chance) => number;

/** About 20 ms, with a tail: p99 is some 64 ms. */
const normal: Shape = (chance) => 20 * Math.exp(0.5 * gauss(chance));
const times =
  (factor: number, of: Shape): Shape =>
  (chance) =>
    factor * of(chance);
/** The slowest of them `factor` times slower: what a missing index does to some requests. */
const slowTail =
  (from: number, factor: number): Shape =>
  (chance) => {
    const ms = normal(chance);
    return ms > from ? factor * ms : ms;
  };
const bimodal =
  (part: number, factor: number): Shape =>
  (chance) =>
    normal(chance) * (chance() < part ? factor : 1);

const weight = 0.05;
const perSec = 100;

/** A7. */
export function latencyPart(): void {
  const runs = runsOf(600);
  const equal = playMany(normal, normal, 'default', { runs, endSec: 600 });
  falseRollback('equal lanes', equal);
  falseRollback(
    'equal lanes with a slow mode of 1 %',
    playMany(bimodal(0.01, 8), bimodal(0.01, 8), 'default', { runs, endSec: 600 }),
  );
  falseRollback(
    'a candidate at the edge, 10 % slower',
    playMany(normal, times(1.05 ** 2, normal), 'default', { runs, endSec: 600 }),
  );
  falseRollback(
    'tight, a candidate at the edge, 5 % slower',
    playMany(normal, times(1.05, normal), 'tight', { runs, endSec: 600 }),
  );
  const long = { runs, endSec: 1_800 };
  caught('tight, everything 20 % slower', 0.98, playMany(normal, times(1.2, normal), 'tight', long));
  for (const [name, shape] of [
    ['p99 doubled (the slowest 5 %)', slowTail(45, 2)],
    ['1 % of requests 8 times slower', bimodal(0.01, 8)],
  ] as const) {
    const endings = playMany(normal, shape, 'default', long);
    caught(name, 0.99, endings);
    const requests = median(endings.map(({ sec }) => sec * perSec * weight));
    report({ name: `A7 ${name}, candidate requests (median)`, measured: requests, bound: 850, unit: 'requests' });
  }
}

type Ending = { readonly rolledBack: boolean; readonly sec: number };

function falseRollback(name: string, endings: readonly Ending[]): void {
  const measured = share(endings, ({ rolledBack }) => rolledBack);
  report({ name: `A7 false rollback, ${name}`, measured, bound: allowed(0.01, endings.length), unit: '%' });
}

function caught(name: string, bound: number, endings: readonly Ending[]): void {
  const measured = share(endings, ({ rolledBack }) => rolledBack);
  const seconds = median(endings.map(({ sec }) => sec));
  report({ name: `A7 caught, ${name} (median ${seconds} s)`, measured, bound, unit: '%', atLeast: true });
}

function playMany(
  live: Shape,
  candidate: Shape,
  preset: keyof typeof latencyPresets,
  { runs, endSec }: { readonly runs: number; readonly endSec: number },
): readonly Ending[] {
  const settings = { alpha: 0.01, beta: 0.01, bakeSec: 1e9, slackMs: 0, ...latencyPresets[preset] };
  return Array.from({ length: runs }, () => {
    const chance = nextChance();
    let state = start(settings, weight);
    for (let t = 0; t < 60; t++) state = latency.prime(state, drawn(chance, 10 * perSec, live), 10);
    for (let t = 2; t <= endSec; t += 2) {
      const own = Math.round(2 * perSec * weight);
      const [next, verdict] = latency.step(
        state,
        drawn(chance, 2 * perSec - own, live),
        drawn(chance, own, candidate),
        2,
      );
      state = next;
      if (verdict.kind === 'rollback') return { rolledBack: true, sec: t };
    }
    return { rolledBack: false, sec: endSec };
  });
}

function drawn(chance: Chance, n: number, shape: Shape): Histogram {
  const counts: number[] = new Array(260).fill(0);
  for (let i = 0; i < n; i++) {
    const bucket = Math.min(259, Math.max(0, Math.floor(Math.log(shape(chance)) / Math.log(1.05))));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
}

function gauss(chance: Chance): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}
