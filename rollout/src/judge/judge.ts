import type { Tolerance } from '../spec.ts';
import { type Dispersion, designEffect, disperse, noDispersion } from './dispersion.ts';
import { merge, ruleWeights } from './merge.ts';
import { refer } from './one-lane.ts';
import { isCounted, type OwnMetrics } from './own.ts';
import type { LatencyTolerance } from './presets.ts';
import { changeWeight, countsOf, type Outcome, primeRule, type Rule, readRule, stepRule } from './rules.ts';
import { type Counts, checkSample, type Prime, type Sample, type Slow } from './sample.ts';
import { comparisonRules, linesFor, type OneLanePasts, watchRules } from './start-rules.ts';
import type { LaneCounts, RuleName, RuleReport, Verdict } from './verdict.ts';

/** Everything that a release is judged by. Spread `defaultJudge` and change what differs. */
export type JudgeSettings = {
  /** Chance of a false rollback, and of a false promotion, per release. */
  readonly alpha: number;
  readonly beta: number;
  /** Seconds of evidence before promotion, whatever the evidence is. */
  readonly bakeSec: number;
  readonly tolerate: Tolerance;
  /** Limit of the hard lag guard in ms (`limitMsFor`); `undefined`: no queue. */
  readonly guardMs: number | undefined;
  /**
   * What the lanes are compared by: users' requests (canary), synthetic ones (blue/green, at weight 0), or both (little traffic).
   * `history`: they are not, as those who are pinned are not users like all others (A/B); the candidate is judged against live's past.
   */
  readonly compare: 'traffic' | 'probes' | 'both' | 'history';
  /** What the lanes' processes and the queue can tell beside the counts. What is named here must come, or nothing is promoted. */
  readonly slow: readonly Slow[];
  readonly own: OwnMetrics;
  /** Whether promotion waits for latencies; if not, they may still roll back. */
  readonly latencyPromotes: boolean;
  /** How much slower the candidate may be. */
  readonly tolerateLatency: LatencyTolerance;
  readonly latencySlackMs: number;
  readonly staleAfterSec: number;
};

export const defaultJudge: JudgeSettings = {
  alpha: 0.01,
  beta: 0.01,
  bakeSec: 180,
  tolerate: 'default',
  guardMs: undefined,
  compare: 'traffic',
  slow: [],
  own: {},
  latencyPromotes: true,
  tolerateLatency: 'default',
  latencySlackMs: 5,
  staleAfterSec: 60,
};

/**
 * All that the judge knows, as plain JSON: after a restart the same samples give the same verdicts, bit by bit.
 * `comparison`: two lanes at work. `watch`: one, after a promotion, against history.
 */
export type JudgeState = {
  readonly kind: 'comparison' | 'watch';
  readonly settings: JudgeSettings;
  readonly rules: readonly Rule[];
  /** Whole percent. */
  readonly candidateShare: number;
  /** Seconds of evidence; then the same at the last weight change, and when each lane had its last request. */
  readonly elapsed: number;
  readonly weightSince: number;
  readonly heard: { readonly live: number; readonly candidate: number };
  /** How live's failures cluster, whatever the lanes are compared by: the watch needs it. */
  readonly live: { readonly [outcome in Outcome]: Dispersion };
  /** The same of the user's own failure metrics, once they were read. */
  readonly own: Readonly<Record<string, Dispersion>>;
  /** Users send too little: synthetic requests decide about the promotion, users' may still roll back. */
  readonly thin: boolean;
};

/** Design effects of the live lane, 1 for independent failures. */
export type DesignEffects = { readonly [outcome in Outcome]: number } & {
  readonly own?: Readonly<Record<string, number>>;
};

/** After so long without a request in one of the lanes the judge says so. */
const quietAfterSec = 60;

/** A comparison that has seen nothing. Prime it, then step it. */
export function startJudge(settings: JudgeSettings): JudgeState {
  if (settings.compare !== 'history') return opened('comparison', settings, comparisonRules(settings));
  return opened('comparison', settings, watchRules(settings, pastsOf(settings, noHistory, { failed: 1, refused: 1 })));
}

/** Live's last 10 minutes, as far as they have come, for a judge that compares with `history`: from the next blocks on. */
export function referTo(state: JudgeState, history: History): JudgeState {
  const pasts = pastsOf(state.settings, history, designEffects(state));
  const rules = state.rules.map((rule): Rule => {
    const past = rule.kind === 'one-lane' ? pasts[rule.name] : undefined;
    if (rule.kind !== 'one-lane' || past === undefined) return rule;
    return { ...rule, state: refer(rule.state, past, linesFor(rule.name, state.settings)) };
  });
  return { ...state, rules };
}

/** Adds live traffic from before the release: about 10 minutes, oldest first, in stretches of about 10 s. */
export function primeJudge(state: JudgeState, before: Prime): JudgeState {
  return {
    ...state,
    rules: state.rules.map((rule) => primeRule(rule, before)),
    live: observe(state, before.live, before.seconds),
    own: observeOwn(state, before.own),
  };
}

/**
 * The watch of a promoted lane. `history`: the former live lane's last 10 minutes, `own` that of the user's own metrics;
 * `kappa`: its `designEffects`. Samples then give the promoted lane as the candidate. The judge never promotes here, it only
 * calls the lane back.
 */
export function startWatch(settings: JudgeSettings, history: History, kappa: DesignEffects): JudgeState {
  return opened('watch', settings, watchRules(settings, pastsOf(settings, history, kappa)));
}

type History = Counts & { readonly own?: Readonly<Record<string, LaneCounts>> };

const noHistory: History = { requests: 0, failed: 0, refused: 0 };

function pastsOf(settings: JudgeSettings, history: History, kappa: DesignEffects): OneLanePasts {
  const past = (outcome: Outcome) => ({ history: countsOf(history, outcome), kappa: kappa[outcome] });
  const ownPasts = Object.keys(settings.own)
    .filter((name) => settings.own[name]?.kind === 'failures')
    .map((name) => [
      `metric:${name}`,
      { history: history.own?.[name] ?? { requests: 0, failures: 0 }, kappa: kappa.own?.[name] ?? 1 },
    ]);
  return { failed: past('failed'), refused: past('refused'), ...Object.fromEntries(ownPasts) };
}

/** Adds what was seen since the last good scrape. @throws {InvariantError} if a number is negative or not finite */
export function stepJudge(state: JudgeState, sample: Sample): [JudgeState, Verdict] {
  checkSample(sample);
  const elapsed = state.elapsed + sample.seconds;
  const results = state.rules.map((rule) => stepRule(rule, sample, elapsed));
  const heard = (lane: 'live' | 'candidate') =>
    sample[lane].requests + (sample.probes?.[lane].requests ?? 0) > 0 ? elapsed : state.heard[lane];
  const next: JudgeState = {
    ...state,
    rules: results.map(([rule]) => rule),
    candidateShare: sample.candidateShare,
    elapsed,
    heard: { live: heard('live'), candidate: heard('candidate') },
    live: observe(state, sample.live, sample.seconds),
    own: observeOwn(state, sample.own),
  };
  return [
    next,
    verdictOn(
      next,
      results.map(([, report]) => report),
    ),
  ];
}

/** To be called before a new weight (whole percent) is asked for: closes the open blocks, then makes fresh stakes. */
export function weightChanged(state: JudgeState, candidateShare: number): [JudgeState, Verdict] {
  // The first weight of all is where the judge starts from, and changes nothing.
  if (state.elapsed === 0) return [{ ...state, candidateShare }, readJudge(state)];
  const results = state.rules.map((rule) => changeWeight(rule, candidateShare / 100));
  const next = { ...state, rules: results.map(([rule]) => rule), candidateShare, weightSince: state.elapsed };
  return [
    next,
    verdictOn(
      next,
      results.map(([, report]) => report),
    ),
  ];
}

/** From now on synthetic requests decide about the promotion. Where none are compared this changes nothing. */
export function decideBySynthetic(state: JudgeState): JudgeState {
  return { ...state, thin: state.settings.compare === 'both' };
}

/** What the judge says without a new sample; never `promote`. */
export function readJudge(state: JudgeState): Verdict {
  return verdictOn(state, state.rules.map(readRule));
}

/** The live lane's design effects as far as this comparison has seen its traffic, priming included: what `startWatch` takes. */
export function designEffects({ live, own }: JudgeState): DesignEffects {
  const effects = Object.entries(own).map(([name, dispersion]) => [name, designEffect(dispersion)] as const);
  return {
    failed: designEffect(live.failed),
    refused: designEffect(live.refused),
    own: Object.fromEntries(effects),
  };
}

function observe({ live }: JudgeState, counts: Counts, seconds: number): JudgeState['live'] {
  return {
    failed: disperse(live.failed, countsOf(counts, 'failed'), seconds),
    refused: disperse(live.refused, countsOf(counts, 'refused'), seconds),
  };
}

function observeOwn({ own }: JudgeState, seen: Prime['own']): JudgeState['own'] {
  const grown = Object.entries(seen ?? {}).map(([name, { live, seconds }]) => [
    name,
    disperse(own[name] ?? noDispersion, live, seconds),
  ]);
  return { ...own, ...Object.fromEntries(grown) };
}

function verdictOn(state: JudgeState, said: readonly RuleReport[]): Verdict {
  const reports = said.map((report) => (isWaitedFor(report.name, state) ? report : withoutPromotion(report)));
  const counted = reports.filter(({ name }) => isCounted(name, state.settings.own));
  const merged = merge(counted, ruleWeights(counted.map(({ name }) => name)), state.settings);
  const atWeightSec = state.elapsed - state.weightSince;
  const waits = merged.kind === 'hold' && (merged.reason === 'evidence' || merged.reason === 'bake');
  return { ...merged, rules: reports, atWeightSec, reason: waits && isQuiet(state) ? 'no-traffic' : merged.reason };
}

/** Whether a promotion waits for this rule, if it has a promotion side. */
function isWaitedFor(name: RuleName, { settings, thin }: JudgeState): boolean {
  if (name === 'probe-failed' || name === 'probe-refused') return thin || settings.compare === 'probes';
  if (name === 'latency' || name === 'ackTime') return settings.latencyPromotes && !thin;
  return !thin;
}

function withoutPromotion(report: RuleReport): RuleReport {
  return { ...report, logPromote: null, needCandidate: null };
}

function isQuiet({ kind, elapsed, heard }: JudgeState): boolean {
  const last = kind === 'watch' ? heard.candidate : Math.min(heard.live, heard.candidate);
  return elapsed - last >= quietAfterSec;
}

function opened(kind: JudgeState['kind'], settings: JudgeSettings, rules: readonly Rule[]): JudgeState {
  const heard = { live: 0, candidate: 0 };
  const live = { failed: noDispersion, refused: noDispersion };
  return { kind, settings, rules, candidateShare: 0, elapsed: 0, weightSince: 0, heard, live, own: {}, thin: false };
}
