import { limitMsFor } from '../judge/guard.ts';
import {
  defaultJudge,
  designEffects,
  type JudgeSettings,
  type JudgeState,
  primeJudge,
  readJudge,
  startJudge,
  startWatch,
  stepJudge,
  weightChanged,
} from '../judge/judge.ts';
import { staleReports } from '../judge/merge.ts';
import type { Counts, Prime, Sample } from '../judge/sample.ts';
import { progressOf } from '../judge/steps.ts';
import type { RuleReport, Verdict } from '../judge/verdict.ts';
import type { Lane } from '../lane.ts';
import type { ReleaseSpec } from '../spec.ts';
import type { Evidence, Look } from './look.ts';
import type { Plan } from './release.ts';

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
  readonly history: readonly { readonly at: number; readonly counts: Counts }[];
  /** Samples in a row in which neither lane had a request. */
  readonly idleSamples: number;
  /** The last samples, oldest first, for whoever shows rates. */
  readonly recent: readonly Extract<EvidenceEntry, { kind: 'sample' }>[];
};

const historyMs = 600_000;
const recentMs = 10_000;
const idleAfterSamples = 10;
/** What a lane's stream and its proxies are set to: the guard must fire before messages age out. */
const queueTimes = { maxAgeMs: 120_000, timeoutMs: 5_000 };

/** `slow`: what live can tell beside the counts. Only users' traffic at both lanes is compared by it. */
export function settingsFor(
  plan: Plan,
  spec: Pick<ReleaseSpec, 'tolerate' | 'latency'>,
  slow: JudgeSettings['slow'],
): JudgeSettings {
  return {
    ...defaultJudge,
    bakeSec: plan.bakeMs / 1_000,
    tolerate: spec.tolerate,
    guardMs: plan.queue ? limitMsFor(queueTimes) : undefined,
    compare: plan.strategy === 'blue-green' ? 'probes' : 'traffic',
    slow: plan.strategy === 'canary' ? slow.filter((source) => source === 'flow' || spec.latency !== 'off') : [],
    latencyPromotes: spec.latency === 'promote',
  };
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
        history: remember(state, entry.at, entry.live),
      };
    case 'sample': {
      const [judge, verdict] = stepJudge(state.judge, entry.sample);
      const { live, candidate } = entry.sample;
      const idle = live.requests + candidate.requests === 0;
      const recent = [...state.recent.filter(({ at }) => entry.at - at < recentMs), entry];
      return {
        judge,
        verdict,
        recent,
        history: remember(state, entry.at, live),
        idleSamples: idle ? state.idleSamples + 1 : 0,
      };
    }
    case 'share': {
      const [judge, verdict] = weightChanged(state.judge, entry.share);
      return { ...state, judge, verdict };
    }
    case 'watch': {
      const judge = startWatch(
        state.judge.settings,
        sum(state.history.map(({ counts }) => counts)),
        designEffects(state.judge),
      );
      return { ...state, judge, verdict: readJudge(judge), idleSamples: 0 };
    }
    case 'hold':
      return state;
  }
}

/** The judge in the policy's words. `blindMs`: for how long no count could be read. */
export function evidenceOf(
  { verdict, judge, idleSamples }: EvidenceState,
  blindMs: Look['evidence']['blindMs'],
): Evidence {
  return {
    verdict: verdict.kind,
    logRollback: verdict.logRollback,
    logPromote: verdict.logPromote ?? undefined,
    progress: countsNow(verdict) ? progressOf(verdict, judge.settings) : 0,
    text: textOf(verdict, judge.settings),
    blindMs,
    idle: idleSamples >= idleAfterSamples,
    unread: verdict.kind === 'hold' && verdict.reason === 'stale',
  };
}

/** Evidence from before must not carry a step while both lanes fail, a lane is silent or a rule is fed no more. */
function countsNow({ kind, reason }: Verdict): boolean {
  return kind === 'promote' || (kind === 'hold' && (reason === 'evidence' || reason === 'bake'));
}

function textOf(verdict: Verdict, settings: JudgeSettings): string {
  const rule = verdict.rules.find(({ name }) => name === verdict.reason);
  if (verdict.kind === 'rollback' && rule !== undefined) return rollbackText(rule);
  switch (verdict.reason) {
    case 'good-enough':
      return 'the evidence says good enough';
    case 'bake':
      return 'good enough; the bake is not over';
    case 'no-traffic':
      return 'a lane had no request for a minute';
    case 'both-lanes-failing':
      return 'both lanes fail too much to compare them';
    case 'stale':
      return `not read of late: ${staleText(verdict, settings)}`;
    default:
      return verdict.kind === 'rollback' ? 'the evidence says worse than tolerated' : 'not enough evidence yet';
  }
}

function staleText({ rules, elapsed }: Verdict, settings: JudgeSettings): string {
  return staleReports(rules, settings)
    .map(({ name, at }) => `${name} for ${Math.round(elapsed - at)} s`)
    .join(', ');
}

function rollbackText(rule: RuleReport): string {
  const { live, candidate } = rule.counts;
  const ratios = `${candidate.failures} of ${candidate.requests} against ${live.failures} of ${live.requests}`;
  switch (rule.name) {
    case 'failed':
      return `the candidate fails more than tolerated: ${ratios} requests`;
    case 'refused':
      return `the candidate refuses more than tolerated: ${ratios} requests`;
    case 'probe-failed':
    case 'probe-refused':
      return `the candidate answers the synthetic requests worse than live: ${ratios}`;
    case 'latency':
      return `the candidate is slower than tolerated: ${slowText(rule)}`;
    case 'ackTime':
      return `the candidate's workers take longer than tolerated: ${slowText(rule)}`;
    case 'capacity':
      return `the candidate works off less than its share: ${candidate.failures} of ${candidate.requests} messages are left, of live's ${live.failures} of ${live.requests}`;
    case 'redelivered':
      return `the candidate's messages are delivered again more often than tolerated: ${ratios}`;
    case 'dropped':
      return `the candidate leaves more messages unanswered than tolerated: ${ratios}`;
    case 'share':
      return `the candidate answers fewer requests than its weight sends: ${candidate.requests} against ${live.requests}`;
    case 'guard':
      return "the candidate's oldest message waits for longer than the limit while live's does not";
  }
}

function slowText({ counts, spoke }: RuleReport): string {
  const { live, candidate } = counts;
  const quantile = `p${+((spoke?.level ?? 0) * 100).toFixed(1)}`;
  const part = ({ failures, requests }: typeof live) => `${failures} of ${requests}`;
  return `${part(candidate)} above ${formatMs(spoke?.candidateMs ?? 0)} against ${part(live)} above live's ${quantile}, ${formatMs(spoke?.liveMs ?? 0)}`;
}

function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function remember({ history }: EvidenceState, at: number, counts: Counts): EvidenceState['history'] {
  return [...history.filter((entry) => at - entry.at < historyMs), { at, counts }];
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
