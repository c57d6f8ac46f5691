/**
 * Whether a new version is slower than the old one, from rounds in which both were measured on one machine in turn.
 * Three answers: a busy machine must neither fail a good version nor pass a bad one.
 */

import type { Gate } from '@headgate/rollout';
import { absoluteGates, standstillGate } from './absolute.ts';
import { interval, isSteady, type Miss, percentile, percentiles } from './interval.ts';
import { risingOf } from './rising.ts';
import { isCalm, type PerfRule, type Round, type Side } from './rule.ts';

export type Ratio = { readonly what: string; readonly low: number; readonly mid: number; readonly high: number };

export type PerfVerdict = {
  readonly kind: 'notSlower' | 'slower' | 'cannotTell';
  /** Sentences, the weightiest first. */
  readonly why: readonly string[];
  /** New over old, with bounds: by the lower ones something is slower, by the upper ones nothing is. */
  readonly ratios: readonly Ratio[];
  /** Each rule by itself; none where there was too little to judge. */
  readonly gates: readonly Gate[];
  readonly rounds: { readonly all: number; readonly calm: number };
};

/** Chance that a version is called slower which is not, and that one passes which is slower; over all looks, whichever ends it. */
const missMax = 0.05;

/** Whether a look is due after the last of these rounds, and tells. */
export function isSettled(rounds: readonly Round[], rule: PerfRule): boolean {
  const calm = rounds.filter((round) => isCalm(round, rule));
  const isDue = calm.at(-1) === rounds.at(-1) && rule.looks.some((look) => look.rounds === calm.length);
  return isDue && judgePerf(rounds, rule).kind !== 'cannotTell';
}

export function judgePerf(rounds: readonly Round[], rule: PerfRule): PerfVerdict {
  const calm = rounds.filter((round) => isCalm(round, rule));
  const counts = { all: rounds.length, calm: calm.length };
  const least = Math.min(...rule.looks.map((look) => look.rounds));
  if (calm.length < least) {
    const why = `only ${calm.length} of ${rounds.length} rounds passed without a standstill of the machine or busy neighbours; ${least} are needed`;
    const gate = { name: 'calm rounds', outcome: 'undecided', text: why } as const;
    return { kind: 'cannotTell', why: [why], ratios: [], gates: [gate], rounds: counts };
  }
  const metrics = metricsOf(calm, rule);
  const miss = missMax * shareOf(calm.length, rule);
  // Any of them makes a version slower, so they share the chance; to pass it must be below the limit in all, where one that is not is enough to refuse it.
  const judged = metrics.map((metric) => judgeMetric(metric, { below: miss / metrics.length, above: miss }));
  const ratios = judged.map(({ ratio }) => ratio);
  const gates = [
    ...absoluteGates(calm, rule),
    standstillGate(rounds, rule),
    ...judged.map(({ gate }) => gate),
    roundsGate(calm.length, rule),
  ];
  const words = (outcome: Gate['outcome']) => gates.filter((gate) => gate.outcome === outcome).map(({ text }) => text);
  const found = { ratios, gates, rounds: counts };
  const [slower, open] = [words('failed'), words('undecided')];
  if (slower.length > 0) return { kind: 'slower', why: slower, ...found };
  if (open.length > 0) return { kind: 'cannotTell', why: open, ...found };
  return { kind: 'notSlower', why: ['every interval ends below its limit'], ...found };
}

function roundsGate(calm: number, { passMin }: PerfRule): Gate {
  const text = `${passMin} calm rounds are needed to pass`;
  return { name: 'calm rounds', outcome: calm < passMin ? 'undecided' : 'passed', text };
}

/** Rounds may end between two looks: then it is the later one, which comes no more. */
function shareOf(calm: number, { looks }: PerfRule): number {
  return (looks.find(({ rounds }) => rounds >= calm) ?? looks.at(-1))?.share ?? 0;
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
  const facts = rounds.map(({ before, after }) => ({
    before: factsOf(before, few, rule),
    after: factsOf(after, few, rule),
  }));
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

function factsOf(side: Side, few: readonly string[], rule: PerfRule): ReadonlyMap<string, number> {
  const { all, middles } = risingOf(side);
  const middle = percentile(all, 0.5);
  const ofKinds = new Map((middles.size === 1 ? [] : [...middles]).map(([kind, ms]) => [kind, ms / middle] as const));
  const ofFew = few.map((kind) => Math.log(ofKinds.get(kind) ?? Number.NaN));
  return new Map([
    ...percentiles.map(([name, part]) => [name, Math.max(percentile(all, part), leastOf(name, rule))] as const),
    ...[...ofKinds].map(([kind, ratio]) => [nameOf(kind), ratio] as const),
    ...(few.length === 0
      ? []
      : [[`p50 of the ${few.length} rare kinds beside that of all`, geometric(ofFew)] as const]),
  ]);
}

function leastOf(name: keyof PerfRule['msMax'], { tailMinMs }: PerfRule): number {
  return name === 'p50' ? 0 : tailMinMs[name];
}

function nameOf(kind: string): string {
  return `p50 of ${kind} beside that of all`;
}

function geometric(logs: readonly number[]): number {
  return Math.exp(logs.reduce((sum, one) => sum + one, 0) / logs.length);
}

function judgeMetric({ what, limit, logs, isFew }: Metric, miss: Miss): { ratio: Ratio; gate: Gate } {
  const [low, mid, high] = interval(logs, miss);
  const ratio = { what, low: Math.exp(low), mid: Math.exp(mid), high: Math.exp(high) };
  const text = `${what} is ${ratio.mid.toFixed(2)} times the old one (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}), and may be ${limit.toFixed(2)}`;
  const isSlower = ratio.low > limit && isSteady(logs.filter((log) => log > 0).length, logs.length);
  const reached = isFew ? ratio.mid : ratio.high;
  const isPassed = reached <= limit; // Not a number is no pass either.
  return { ratio, gate: { name: what, outcome: isSlower ? 'failed' : isPassed ? 'passed' : 'undecided', text } };
}
