/**
 * Whether a new version is slower than the old one, from rounds in which both were measured on one machine in turn.
 * Three answers: a busy machine must neither fail a good version nor pass a bad one.
 */

import type { Gate } from '@headgate/rollout';
import { absoluteGates } from './absolute.ts';
import { interval, isSteady, percentile, percentiles, sorted } from './interval.ts';

/** Latencies of one kind of request, from the intended time of sending, in ms. */
export type Timings = Readonly<Record<string, readonly number[]>>;

/** One side of a round. */
export type Side = {
  readonly askedPerSecond: number;
  /** Answers within the round, per second. */
  readonly achievedPerSecond: number;
  readonly requests: number;
  /** No answer, or one from 500 up. */
  readonly errors: number;
  readonly timings: Timings;
};

export type Round = {
  readonly before: Side;
  readonly after: Side;
  readonly machine: { readonly before: Machine; readonly after: Machine };
};

/**
 * What neighbours did to a side while it was measured. What is slow in that moment is slow because of them, and says
 * nothing about a version.
 */
export type Machine = {
  /** Longest time that this machine stood still for somebody who asked for nothing but the time. */
  readonly stillMs: number;
  /** Part of its processors, 0 to 1, that worked for others in their busiest moment. */
  readonly others: number;
};

export type PerfRule = {
  /** Part of the asked rate that must be achieved. */
  readonly achievedMin: number;
  /** Part of the requests that may fail. */
  readonly errorsMax: number;
  readonly msMax: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** No single answer of the new version may take so long if none of the old one does. */
  readonly freezeMs: number;
  /** How much slower counts as equal, e.g. 0.1; of the 99th percentile, which swings more, `tolerance99`. */
  readonly tolerance: number;
  readonly tolerance99: number;
  /** Fewer rounds without a standstill say nothing. */
  readonly roundsMin: number;
  /** A standstill from this length on spoils a round: it is 2 % of one of 2.5 s, and more than the tolerance of the 95th percentile. */
  readonly stillMaxMs: number;
  /** And so do others who are busier than this. */
  readonly othersMax: number;
};

export const perfRule: PerfRule = {
  achievedMin: 0.99,
  errorsMax: 0.001,
  msMax: { p50: 50, p95: 200, p99: 400 },
  freezeMs: 500,
  tolerance: 0.1,
  tolerance99: 0.25,
  roundsMin: 6,
  stillMaxMs: 50,
  othersMax: 0.4,
};

export type Ratio = { readonly what: string; readonly low: number; readonly mid: number; readonly high: number };

export type PerfVerdict = {
  readonly kind: 'notSlower' | 'slower' | 'cannotTell';
  /** Sentences, the weightiest first. */
  readonly why: readonly string[];
  /** New over old, with 95 % bounds for all of them together, below and above. */
  readonly ratios: readonly Ratio[];
  /** Each rule by itself; none where there was too little to judge. */
  readonly gates: readonly Gate[];
  readonly rounds: { readonly all: number; readonly calm: number };
};

/** Chance that any of the lower bounds is too high, and that any of the upper ones is too low. */
const missMax = 0.05;

export function judgePerf(rounds: readonly Round[], rule: PerfRule): PerfVerdict {
  const calm = rounds.filter((round) => isCalm(round, rule));
  const counts = { all: rounds.length, calm: calm.length };
  if (calm.length < rule.roundsMin) {
    const why = `only ${calm.length} of ${rounds.length} rounds passed without a standstill of the machine or busy neighbours; ${rule.roundsMin} are needed`;
    const gate = { name: 'calm rounds', outcome: 'undecided', text: why } as const;
    return { kind: 'cannotTell', why: [why], ratios: [], gates: [gate], rounds: counts };
  }
  const metrics = metricsOf(calm, rule);
  const judged = metrics.map((metric) => judgeMetric(metric, missMax / metrics.length));
  const ratios = judged.map(({ ratio }) => ratio);
  const gates = [...absoluteGates(calm, rule), ...judged.map(({ gate }) => gate)];
  const words = (outcome: Gate['outcome']) => gates.filter((gate) => gate.outcome === outcome).map(({ text }) => text);
  const found = { ratios, gates, rounds: counts };
  const [slower, open] = [words('failed'), words('undecided')];
  if (slower.length > 0) return { kind: 'slower', why: slower, ...found };
  if (open.length > 0) return { kind: 'cannotTell', why: open, ...found };
  return { kind: 'notSlower', why: ['every interval ends below its limit'], ...found };
}

/** Whether a round says something about the versions, and not about who else was there. */
export function isCalm({ machine }: Round, { stillMaxMs, othersMax }: PerfRule): boolean {
  return [machine.before, machine.after].every(({ stillMs, others }) => stillMs < stillMaxMs && others < othersMax);
}

type Metric = {
  readonly what: string;
  readonly limit: number;
  /** Of each round: log of new over old. */
  readonly logs: readonly number[];
  /** Of too few requests for a bound of its own: only its middle may not pass the limit. */
  readonly isFew: boolean;
};

/** Kinds that each make up no more than this part of the requests are bounded together. */
const fewMax = 0.05;

/**
 * All requests together by three percentiles, and each kind by its middle: a slow rare kind is lost among the others. A kind is
 * measured in middles of all, which the machine made as slow in that moment: what is left is the version's own.
 */
function metricsOf(rounds: readonly Round[], rule: PerfRule): readonly Metric[] {
  const few = fewOf(rounds);
  const facts = rounds.map(({ before, after }) => ({ before: factsOf(before, few), after: factsOf(after, few) }));
  const names = [...new Set(facts.flatMap(({ before, after }) => [...before.keys(), ...after.keys()]))];
  return names.map((what) => ({
    what,
    limit: 1 + (what === 'p99' ? rule.tolerance99 : rule.tolerance),
    logs: facts.map(({ before, after }) =>
      Math.log((after.get(what) ?? Number.NaN) / (before.get(what) ?? Number.NaN)),
    ),
    isFew: few.map(nameOf).includes(what),
  }));
}

/** A single one is bounded by itself. */
function fewOf(rounds: readonly Round[]): readonly string[] {
  const sides = rounds.flatMap(({ before, after }) => [before, after]);
  const all = sides.reduce((sum, { requests }) => sum + requests, 0);
  const kinds = [...new Set(sides.flatMap(({ timings }) => Object.keys(timings)))];
  const isFew = (kind: string) =>
    sides.reduce((sum, { timings }) => sum + (timings[kind]?.length ?? 0), 0) <= fewMax * all;
  const few = kinds.filter(isFew);
  return few.length === 1 ? [] : few;
}

function factsOf({ timings }: Side, few: readonly string[]): ReadonlyMap<string, number> {
  const all = sorted(Object.values(timings).flat());
  const kinds = Object.entries(timings);
  const middle = percentile(all, 0.5);
  const ofKinds = new Map(
    (kinds.length === 1 ? [] : kinds).map(([kind, ms]) => [kind, percentile(sorted(ms), 0.5) / middle] as const),
  );
  const ofFew = few.map((kind) => Math.log(ofKinds.get(kind) ?? Number.NaN));
  return new Map([
    ...percentiles.map(([name, part]) => [name, percentile(all, part)] as const),
    ...[...ofKinds].map(([kind, ratio]) => [nameOf(kind), ratio] as const),
    ...(few.length === 0
      ? []
      : [[`p50 of the ${few.length} rare kinds beside that of all`, geometric(ofFew)] as const]),
  ]);
}

function nameOf(kind: string): string {
  return `p50 of ${kind} beside that of all`;
}

function geometric(logs: readonly number[]): number {
  return Math.exp(logs.reduce((sum, one) => sum + one, 0) / logs.length);
}

function judgeMetric({ what, limit, logs, isFew }: Metric, miss: number): { ratio: Ratio; gate: Gate } {
  const [low, mid, high] = interval(logs, miss);
  const ratio = { what, low: Math.exp(low), mid: Math.exp(mid), high: Math.exp(high) };
  const text = `${what} is ${ratio.mid.toFixed(2)} times the old one (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}), and may be ${limit.toFixed(2)}`;
  const isSlower = ratio.low > limit && isSteady(logs.filter((log) => log > 0).length, logs.length);
  const reached = isFew ? ratio.mid : ratio.high;
  const isPassed = reached <= limit; // Not a number is no pass either.
  return { ratio, gate: { name: what, outcome: isSlower ? 'failed' : isPassed ? 'passed' : 'undecided', text } };
}
