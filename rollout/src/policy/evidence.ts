import { limitMsFor } from '../judge/guard.ts';
import {
  defaultJudge,
  designEffects,
  type JudgeSettings,
  type JudgeState,
  primeJudge,
  readJudge,
  referTo,
  startJudge,
  startWatch,
  stepJudge,
  weightChanged,
} from '../judge/judge.ts';
import type { OwnMetric, OwnMetrics } from '../judge/own.ts';
import type { Counts, Prime, Sample } from '../judge/sample.ts';
import { progressOf } from '../judge/steps.ts';
import type { LaneCounts, Verdict } from '../judge/verdict.ts';
import type { Lane } from '../lane.ts';
import type { LatencyPart, MetricSpec, ReleaseSpec } from '../spec.ts';
import { forecastOf } from './forecast.ts';
import type { Evidence, Look } from './look.ts';
import type { Plan, Release } from './release.ts';
import { verdictText } from './verdict-text.ts';

/** One line of the evidence journal. Folding all lines of a release gives its judge again, bit by bit. */
export type EvidenceEntry =
  | { readonly kind: 'start'; readonly settings: JudgeSettings }
  /** Live traffic before the candidate has weight. */
  | ({ readonly kind: 'prime'; readonly at: number } & Prime)
  | { readonly kind: 'sample'; readonly at: number; readonly sample: Sample; readonly lags: Lags | null }
  /** Before a new weight (the candidate's whole percent) is asked for. */
  | { readonly kind: 'share'; readonly share: number }
  /** The former live lane's last ten minutes become the reference. */
  | { readonly kind: 'watch' }
  /** Why the release did not go on, for whoever asks `status`. */
  | { readonly kind: 'hold'; readonly at: number; readonly reason: string; readonly why: string };

/** What waits in each lane: messages, and the age of the oldest in ms. */
export type Lags = { readonly [lane in Lane]: { readonly lag: number; readonly oldestMs: number } };

export type EvidenceState = {
  readonly judge: JudgeState;
  readonly verdict: Verdict;
  /** Live traffic of the last ten minutes, oldest first: what a watch is judged against. */
  readonly history: readonly Past[];
  /** Samples in a row in which neither lane had a request. */
  readonly idleSamples: number;
  /** The last samples, oldest first, for whoever shows rates. */
  readonly recent: readonly Extract<EvidenceEntry, { kind: 'sample' }>[];
};

/** `users`: requests by weight to either lane, in so many seconds. */
type Past = {
  readonly at: number;
  readonly seconds: number;
  readonly users: number;
  readonly counts: Counts;
  readonly own: Readonly<Record<string, LaneCounts>>;
};

const historyMs = 600_000;
const recentMs = 10_000;
const referEveryMs = 10_000;
const idleAfterSamples = 10;
/** What a lane's stream and its proxies are set to: the guard must fire before messages age out. */
const queueTimes = { maxAgeMs: 120_000, timeoutMs: 5_000 };

/** `slow`: what live can tell beside the counts. Only users' traffic at both lanes is compared by it. */
export function settingsFor(
  plan: Plan,
  spec: Pick<ReleaseSpec, 'tolerate' | 'latency' | 'metrics'>,
  slow: JudgeSettings['slow'],
): JudgeSettings {
  return {
    ...defaultJudge,
    bakeSec: plan.bakeMs / 1_000,
    tolerate: spec.tolerate,
    guardMs: plan.queue ? limitMsFor(queueTimes) : undefined,
    compare: comparedBy[plan.strategy],
    ...latencySettings(plan.strategy === 'canary' ? slow : [], spec.latency),
    own: plan.strategy === 'first' ? {} : ownMetrics(spec.metrics),
  };
}

const comparedBy: Readonly<Record<Plan['strategy'], JudgeSettings['compare']>> = {
  canary: 'traffic',
  'blue-green': 'probes',
  ab: 'history',
  first: 'traffic',
  restore: 'traffic',
};

/** What the judge needs to know of the user's own metrics: where they are read is not its business. */
function ownMetrics(metrics: ReleaseSpec['metrics']): OwnMetrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, ownMetric(metric)]));
}

function ownMetric(metric: MetricSpec): OwnMetric {
  const { dryRun } = metric;
  if (metric.kind === 'failures') return { kind: 'failures', tolerate: metric.tolerate, dryRun };
  const { min = null, max = null, looks } = metric;
  return { kind: 'limit', min, max, looks, dryRun };
}

/** For one lane compared with itself, in two halves: what a release of this app would be judged by, as far as halves tell it. */
export function observerSettings(
  spec: Pick<ReleaseSpec, 'bakeMs' | 'tolerate' | 'latency'>,
  slow: JudgeSettings['slow'],
): JudgeSettings {
  const { bakeMs, tolerate, latency } = spec;
  return { ...defaultJudge, bakeSec: bakeMs / 1_000, tolerate, ...latencySettings(slow, latency) };
}

function latencySettings(
  slow: JudgeSettings['slow'],
  part: LatencyPart,
): Pick<JudgeSettings, 'slow' | 'latencyPromotes'> {
  return {
    slow: slow.filter((source) => source === 'flow' || part !== 'off'),
    latencyPromotes: part === 'promote',
  };
}

/** What a replay may set otherwise than the record; absent: as it was. */
export type OtherSettings = Partial<Pick<JudgeSettings, 'alpha' | 'beta' | 'bakeSec' | 'tolerate'>> & {
  readonly latency?: LatencyPart;
};

export function withOthers(settings: JudgeSettings, { latency, ...others }: OtherSettings): JudgeSettings {
  return { ...settings, ...others, ...(latency === undefined ? {} : latencySettings(settings.slow, latency)) };
}

export function startEvidence(settings: JudgeSettings): EvidenceState {
  const judge = startJudge({ ...defaultJudge, ...settings }); // An older version's settings may lack the newest ones.
  return { judge, verdict: readJudge(judge), history: [], idleSamples: 0, recent: [] };
}

/** Adds one line. @throws {InvariantError} if a sample holds a number that is negative or not finite */
export function foldEvidence(state: EvidenceState, entry: EvidenceEntry): EvidenceState {
  switch (entry.kind) {
    case 'start':
      return startEvidence(entry.settings);
    case 'prime':
      return {
        ...state,
        judge: primeJudge(state.judge, entry),
        history: remember(state, { ...entry, users: entry.live.requests }),
      };
    case 'sample': {
      const [judge, verdict] = stepJudge(referred(state, entry.at), entry.sample);
      const { live, candidate } = entry.sample;
      const users = live.requests + candidate.requests;
      const idle = users === 0;
      const recent = [...state.recent.filter(({ at }) => entry.at - at < recentMs), entry];
      return {
        judge,
        verdict,
        recent,
        history: remember(state, { ...entry.sample, at: entry.at, users }),
        idleSamples: idle ? state.idleSamples + 1 : 0,
      };
    }
    case 'share': {
      const [judge, verdict] = weightChanged(state.judge, entry.share);
      return { ...state, judge, verdict };
    }
    case 'watch': {
      const judge = startWatch(state.judge.settings, sumOf(state.history), designEffects(state.judge));
      return { ...state, judge, verdict: readJudge(judge), idleSamples: 0 };
    }
    case 'hold':
      return state;
  }
}

/** The reference of an A/B test goes with live, which works beside it: what was counted up to now sets the bets on what comes. */
function referred({ judge, history }: EvidenceState, at: number): JudgeState {
  if (judge.kind !== 'comparison' || judge.settings.compare !== 'history') return judge;
  // Every look at first, then now and then: ten minutes do not change in a second, and a test may last for days.
  const isNew = judge.elapsed * 1_000 < referEveryMs || changesEvery(referEveryMs, history.at(-1)?.at ?? 0, at);
  return isNew ? referTo(judge, sumOf(history)) : judge;
}

function changesEvery(ms: number, before: number, now: number): boolean {
  return Math.floor(before / ms) !== Math.floor(now / ms);
}

/** The judge in the policy's words. `blindMs`: for how long no count could be read. */
export function evidenceOf(
  state: EvidenceState,
  blindMs: Look['evidence']['blindMs'],
  release?: Pick<Release, 'plan' | 'state'>,
): Evidence {
  const { verdict, judge, idleSamples } = state;
  return {
    verdict: verdict.kind,
    logRollback: verdict.logRollback,
    logPromote: verdict.logPromote ?? undefined,
    progress: countsNow(verdict) ? progressOf(verdict, judge.settings) : 0,
    text: verdictText(verdict, judge.settings),
    blindMs,
    idle: idleSamples >= idleAfterSamples,
    unread: verdict.kind === 'hold' && verdict.reason === 'stale',
    forecast: release && forecastOf(state, release.plan, release.state.phase),
  };
}

/** Evidence from before must not carry a step while both lanes fail, a lane is silent or a rule is fed no more. */
function countsNow({ kind, reason }: Verdict): boolean {
  return kind === 'promote' || (kind === 'hold' && (reason === 'evidence' || reason === 'bake'));
}

function remember(
  { history }: EvidenceState,
  { at, seconds, users, live, own }: Pick<Prime, 'seconds' | 'live' | 'own'> & Pick<Past, 'at' | 'users'>,
): readonly Past[] {
  const counts = Object.entries(own ?? {}).map(([name, seen]) => [name, seen.live]);
  return [
    ...history.filter((entry) => at - entry.at < historyMs),
    { at, seconds, users, counts: live, own: Object.fromEntries(counts) },
  ];
}

function sumOf(history: readonly Past[]) {
  return { ...sum(history.map(({ counts }) => counts)), own: sumOwn(history) };
}

function sumOwn(history: readonly Past[]): Readonly<Record<string, LaneCounts>> {
  const total: Record<string, LaneCounts> = {};
  for (const [name, { requests, failures }] of history.flatMap(({ own }) => Object.entries(own))) {
    const before = total[name] ?? { requests: 0, failures: 0 };
    total[name] = { requests: before.requests + requests, failures: before.failures + failures };
  }
  return total;
}

function sum(all: readonly Counts[]): Counts {
  return all.reduce(
    (a, b) => ({ requests: a.requests + b.requests, failed: a.failed + b.failed, refused: a.refused + b.refused }),
    {
      requests: 0,
      failed: 0,
      refused: 0,
    },
  );
}
