import { unreachable } from '../errors.ts';
import * as capacity from './capacity.ts';
import * as failures from './failures.ts';
import * as guard from './guard.ts';
import { dense } from './histogram.ts';
import * as latency from './latency.ts';
import type { LatencyState } from './latency-state.ts';
import * as limit from './limit.ts';
import * as oneLane from './one-lane.ts';
import { isOwn, ownName } from './own.ts';
import type { Counts, Prime, QueueCounts, Sample } from './sample.ts';
import * as share from './share.ts';
import type { LaneCounts, LimitName, OwnPairName, RuleReport, RuleVerdict } from './verdict.ts';

/** A rule at work. One file each; a new rule is a member here and a case in each function below. */
export type Rule = { readonly at: number } & (
  | { readonly kind: 'pair'; readonly name: PairName; readonly state: failures.PairState }
  | { readonly kind: 'latency'; readonly name: LatencyName; readonly state: LatencyState }
  | { readonly kind: 'capacity'; readonly name: 'capacity'; readonly state: capacity.CapacityState }
  | { readonly kind: 'share'; readonly name: 'share'; readonly state: share.ShareState }
  | { readonly kind: 'one-lane'; readonly name: OneLaneName; readonly state: oneLane.OneLaneState }
  | { readonly kind: 'limit'; readonly name: LimitName; readonly state: limit.LimitState }
  | { readonly kind: 'guard'; readonly name: 'guard'; readonly state: guard.GuardState }
);

export type Outcome = 'failed' | 'refused';
export type OneLaneName = Outcome | OwnPairName;
type BuiltInPair = Outcome | 'probe-failed' | 'probe-refused' | 'redelivered' | 'dropped';
export type PairName = BuiltInPair | OwnPairName;
export type LatencyName = 'latency' | 'ackTime';

/** What a pair rule counts as a failure, and of what. */
type Source =
  | { readonly kind: 'traffic' | 'probes'; readonly outcome: Outcome }
  | { readonly kind: 'own'; readonly metric: string }
  | { readonly kind: 'flow'; readonly counts: (queue: QueueCounts) => LaneCounts };

const pairs: Readonly<Record<BuiltInPair, Source>> = {
  failed: { kind: 'traffic', outcome: 'failed' },
  refused: { kind: 'traffic', outcome: 'refused' },
  'probe-failed': { kind: 'probes', outcome: 'failed' },
  'probe-refused': { kind: 'probes', outcome: 'refused' },
  redelivered: {
    kind: 'flow',
    counts: ({ delivered, redelivered }) => ({ requests: delivered, failures: Math.min(delivered, redelivered) }),
  },
  // Of the messages that ended: those that nobody worked on to the end.
  dropped: { kind: 'flow', counts: ({ acked, dropped }) => ({ requests: acked + dropped, failures: dropped }) },
};

function sourceOf(name: PairName): Source {
  return isOwn(name) ? { kind: 'own', metric: ownName(name) ?? '' } : pairs[name];
}

/** Both lanes get the same probes. */
export const probeWeight = 0.5;

/** Live traffic from before the start. Probes and shares have no such history. */
export function primeRule(rule: Rule, before: Prime): Rule {
  switch (rule.kind) {
    case 'pair': {
      const seen = primeOf(sourceOf(rule.name), before);
      return seen === undefined ? rule : { ...rule, state: failures.prime(rule.state, seen.live, seen.seconds) };
    }
    case 'latency': {
      const seen = before[rule.name];
      if (seen === undefined) return rule;
      return { ...rule, state: latency.prime(rule.state, dense(seen.live), seen.seconds) };
    }
    case 'capacity':
      return before.flow === undefined ? rule : { ...rule, state: primeCapacity(rule.state, before.flow) };
    default:
      return rule;
  }
}

function primeOf(source: Source, before: Prime): { live: LaneCounts; seconds: number } | undefined {
  const { seconds, live, flow, own } = before;
  if (source.kind === 'own') return own?.[source.metric];
  if (source.kind === 'flow') {
    return flow === undefined ? undefined : { live: source.counts(flow.live), seconds: flow.seconds };
  }
  return source.kind === 'traffic' ? { live: countsOf(live, source.outcome), seconds } : undefined;
}

/** Before the candidate has weight, live's arrivals are all there are; each stretch counts for as long as it was. */
function primeCapacity(
  state: capacity.CapacityState,
  { live, seconds }: NonNullable<Prime['flow']>,
): capacity.CapacityState {
  const kept = state.arrivalsPerSec === 0 ? 0 : 2 ** (-seconds / capacity.halfLifeSec);
  const rate = seconds > 0 ? live.arrived / seconds : 0;
  return capacity.prime(state, state.arrivalsPerSec * kept + (1 - kept) * rate, state.weight);
}

/** Gives a rule its part of the sample. A rule with no part in it keeps its state and says what it said. `now`: the judge's clock, in seconds. */
export function stepRule(rule: Rule, sample: Sample, now: number): [Rule, RuleReport] {
  const { seconds } = sample;
  const weight = sample.candidateShare / 100;
  switch (rule.kind) {
    case 'pair': {
      const source = sourceOf(rule.name);
      const seen = pairOf(source, sample);
      if (seen === undefined) return [rule, readRule(rule)];
      const before = { ...rule.state, weight: source.kind === 'probes' ? probeWeight : weight };
      const [state, verdict] = failures.step(before, seen.live, seen.candidate, seen.seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'latency': {
      const seen = sample[rule.name];
      if (seen === undefined) return [rule, readRule(rule)];
      const before = { ...rule.state, weight };
      const [state, verdict] = latency.step(before, dense(seen.live), dense(seen.candidate), seen.seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'capacity': {
      const seen = sample.flow;
      if (seen === undefined) return [rule, readRule(rule)];
      const before = { ...rule.state, weight };
      const [state, verdict] = capacity.step(before, seen.live, seen.candidate, seen.seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'share': {
      if (sample.uneven === true) return [rule, readRule(rule)];
      const requests = { live: sample.live.requests, candidate: sample.candidate.requests };
      const [state, verdict] = share.step({ ...rule.state, weight }, requests, seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'one-lane': {
      const seen = oneLaneOf(rule.name, sample);
      if (seen === undefined) return [rule, readRule(rule)];
      const [state, verdict] = oneLane.step(rule.state, seen.candidate, seen.seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    case 'limit':
      return stepLimit(rule, sample, now);
    case 'guard': {
      if (sample.queue === undefined) return [rule, readRule(rule)];
      const [state, verdict] = guard.step(rule.state, sample.queue, seconds);
      return reported({ ...rule, state, at: now }, verdict);
    }
    default:
      return unreachable(rule);
  }
}

function stepLimit(rule: Extract<Rule, { kind: 'limit' }>, sample: Sample, now: number): [Rule, RuleReport] {
  const seen = sample.values?.[ownName(rule.name) ?? ''];
  if (seen === undefined) return [rule, readRule(rule)];
  const [state, verdict] = limit.step(rule.state, seen, sample.seconds);
  return reported({ ...rule, state, at: now }, verdict);
}

type PairSeen = { readonly live: LaneCounts; readonly candidate: LaneCounts; readonly seconds: number };

function oneLaneOf(name: OneLaneName, sample: Sample): Pick<PairSeen, 'candidate' | 'seconds'> | undefined {
  if (isOwn(name)) return sample.own?.[ownName(name) ?? ''];
  return { candidate: countsOf(sample.candidate, name), seconds: sample.seconds };
}

function pairOf(source: Source, sample: Sample): PairSeen | undefined {
  if (source.kind === 'own') return sample.own?.[source.metric];
  if (source.kind === 'flow') {
    const { flow } = sample;
    if (flow === undefined) return undefined;
    return { live: source.counts(flow.live), candidate: source.counts(flow.candidate), seconds: flow.seconds };
  }
  const seen = source.kind === 'traffic' ? sample : sample.probes;
  if (seen === undefined) return undefined;
  const { outcome } = source;
  return { live: countsOf(seen.live, outcome), candidate: countsOf(seen.candidate, outcome), seconds: sample.seconds };
}

/** `weight`: the candidate's next one, 0 to 1. */
export function changeWeight(rule: Rule, weight: number): [Rule, RuleReport] {
  switch (rule.kind) {
    case 'pair': {
      const next = sourceOf(rule.name).kind === 'probes' ? probeWeight : weight;
      const [state, verdict] = failures.onWeightChange(rule.state, next);
      return reported({ ...rule, state }, verdict);
    }
    case 'latency': {
      const [state, verdict] = latency.onWeightChange(rule.state, weight);
      return reported({ ...rule, state }, verdict);
    }
    case 'capacity': {
      const [state, verdict] = capacity.onWeightChange(rule.state, weight);
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
    case 'limit':
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
    case 'latency':
      return reported(rule, latency.read(rule.state))[1];
    case 'capacity':
      return reported(rule, capacity.read(rule.state))[1];
    case 'share':
      return reported(rule, share.read(rule.state))[1];
    case 'one-lane':
      return reported(rule, oneLane.read(rule.state))[1];
    case 'limit':
      return reported(rule, limit.read(rule.state))[1];
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
