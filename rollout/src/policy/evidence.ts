import {
  decideBySynthetic,
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
import type { Counts, Prime, Sample } from '../judge/sample.ts';
import { progressOf } from '../judge/steps.ts';
import type { LaneCounts, Verdict } from '../judge/verdict.ts';
import type { Lane } from '../lane.ts';
import { forecastOf } from './forecast.ts';
import type { Evidence, Look } from './look.ts';
import type { Release } from './release.ts';
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
  /** From here on synthetic requests decide about the promotion. */
  | { readonly kind: 'thin'; readonly at: number }
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

const thinText = 'users send too little for the deadline, so synthetic requests decide about the promotion';

const historyMs = 600_000;
const recentMs = 10_000;
const referEveryMs = 10_000;
const idleAfterSamples = 10;

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
    case 'thin': {
      const judge = decideBySynthetic(state.judge);
      return { ...state, judge, verdict: readJudge(judge) };
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
    text: judge.thin ? `${verdictText(verdict, judge.settings)}; ${thinText}` : verdictText(verdict, judge.settings),
    blindMs,
    idle: idleSamples >= idleAfterSamples,
    unread: verdict.kind === 'hold' && verdict.reason === 'stale',
    thin: judge.thin,
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
