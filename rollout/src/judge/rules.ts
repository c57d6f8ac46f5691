import { unreachable } from '../errors.ts';
import * as failures from './failures.ts';
import * as guard from './guard.ts';
import * as oneLane from './one-lane.ts';
import type { Counts, Sample } from './sample.ts';
import * as share from './share.ts';
import type { LaneCounts, RuleReport, RuleVerdict } from './verdict.ts';

/** A rule at work. One file each; a new rule is a member here and a case in each function below. */
export type Rule = { readonly at: number } & (
  | { readonly kind: 'pair'; readonly name: PairName; readonly state: failures.PairState }
  | { readonly kind: 'share'; readonly name: 'share'; readonly state: share.ShareState }
  | { readonly kind: 'one-lane'; readonly name: Outcome; readonly state: oneLane.OneLaneState }
  | { readonly kind: 'guard'; readonly name: 'guard'; readonly state: guard.GuardState }
);

export type Outcome = 'failed' | 'refused';
export type PairName = Outcome | 'probe-failed' | 'probe-refused';

const pairs = {
  failed: { source: 'traffic', outcome: 'failed' },
  refused: { source: 'traffic', outcome: 'refused' },
  'probe-failed': { source: 'probes', outcome: 'failed' },
  'probe-refused': { source: 'probes', outcome: 'refused' },
} as const satisfies Record<PairName, { source: 'traffic' | 'probes'; outcome: Outcome }>;

/** Both lanes get the same probes. */
export const probeWeight = 0.5;

/** Live traffic from before the start. Probes and shares have no such history. */
export function primeRule(rule: Rule, live: Counts, seconds: number): Rule {
  if (rule.kind !== 'pair' || pairs[rule.name].source === 'probes') return rule;
  return { ...rule, state: failures.prime(rule.state, countsOf(live, pairs[rule.name].outcome), seconds) };
}

/** Gives a rule its part of the sample. A rule with no part in it keeps its state and says what it said. `now`: the judge's clock, in seconds. */
export function stepRule(rule: Rule, sample: Sample, now: number): [Rule, RuleReport] {
  const { seconds } = sample;
  switch (rule.kind) {
    case 'pair': {
      const { source, outcome } = pairs[rule.name];
      const seen = source === 'traffic' ? sample : sample.probes;
      if (seen === undefined) return [rule, readRule(rule)];
      const before = { ...rule.state, weight: source === 'traffic' ? sample.candidateShare / 100 : probeWeight };
      const live = countsOf(seen.live, outcome);
      const [state, verdict] = failures.step(before, live, countsOf(seen.candidate, outcome), seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'share': {
      const before = { ...rule.state, weight: sample.candidateShare / 100 };
      const requests = { live: sample.live.requests, candidate: sample.candidate.requests };
      const [state, verdict] = share.step(before, requests, seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'one-lane': {
      const [state, verdict] = oneLane.step(rule.state, countsOf(sample.candidate, rule.name), seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'guard': {
      if (sample.queue === undefined) return [rule, readRule(rule)];
      const [state, verdict] = guard.step(rule.state, sample.queue, seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    default:
      return unreachable(rule);
  }
}

/** `weight`: the candidate's next one, 0 to 1. */
export function changeWeight(rule: Rule, weight: number): [Rule, RuleReport] {
  switch (rule.kind) {
    case 'pair': {
      const next = pairs[rule.name].source === 'traffic' ? weight : probeWeight;
      const [state, verdict] = failures.onWeightChange(rule.state, next);
      return reported({ ...rule, state }, verdict);
    }
    case 'share': {
      const [state, verdict] = share.onWeightChange(rule.state, weight);
      return reported({ ...rule, state }, verdict);
    }
    case 'one-lane': {
      const [state, verdict] = oneLane.onWeightChange(rule.state);
      return reported({ ...rule, state }, verdict);
    }
    case 'guard':
      return [rule, readRule(rule)];
    default:
      return unreachable(rule);
  }
}

/** What a rule says without a new input. */
export function readRule(rule: Rule): RuleReport {
  switch (rule.kind) {
    case 'pair':
      return reported(rule, failures.read(rule.state))[1];
    case 'share':
      return reported(rule, share.read(rule.state))[1];
    case 'one-lane':
      return reported(rule, oneLane.read(rule.state))[1];
    case 'guard':
      return reported(rule, guard.read(rule.state))[1];
    default:
      return unreachable(rule);
  }
}

function reported(rule: Rule, verdict: RuleVerdict): [Rule, RuleReport] {
  return [rule, { ...verdict, name: rule.name, at: rule.at }];
}

/** More failures than requests come from two counters read at two moments, and would turn the bets' logs upside down. */
export function countsOf(counts: Counts, outcome: Outcome): LaneCounts {
  return { requests: counts.requests, failures: Math.min(counts.requests, counts[outcome]) };
}
