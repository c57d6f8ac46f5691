/** What the rules and the whole judge say. Verdicts and states are journalled as JSON, hence `null` and never `undefined`. */

/** What one lane did since the last good scrape. */
export type LaneCounts = { readonly requests: number; readonly failures: number };

export type VerdictKind = 'hold' | 'promote' | 'rollback';

/**
 * What one rule says after an input. Wealths are natural logs: `logRollback` is compared with ln(1/alpha), `logPromote`
 * with ln(1/beta). A verdict is not latched; the caller stops.
 */
export type RuleVerdict = {
  readonly kind: VerdictKind;
  readonly logRollback: number;
  /** `null`: the rule has no promotion side. */
  readonly logPromote: number | null;
  /** Candidate requests still wanted before promotion, an estimate; `null` where nothing can be said. */
  readonly needCandidate: number | null;
  /** Seconds of evidence that the rule has read, priming left out. */
  readonly elapsed: number;
  /** This input closed a block; promotion comes from such an input only. */
  readonly closed: boolean;
  /** False while both lanes fail so much that nothing counts as unacceptable any more: old credit must not promote. */
  readonly promotable: boolean;
  /** Not a test but a limit: rolls back at once, whatever the wealths are. */
  readonly hard: boolean;
  readonly counts: PairCounts;
  /** Of several thresholds the one that says most; `null` where there is none to name. */
  readonly spoke: Spoke | null;
};

/** Rollback is the stronger word. `mayPromote`: everything but the wealth is there. */
export function verdictKind(
  { alpha, beta }: { readonly alpha: number; readonly beta: number },
  {
    logRollback,
    logPromote,
    mayPromote,
  }: { readonly logRollback: number; readonly logPromote: number; readonly mayPromote: boolean },
): VerdictKind {
  if (logRollback >= Math.log(1 / alpha)) return 'rollback';
  return mayPromote && logPromote >= Math.log(1 / beta) ? 'promote' : 'hold';
}

/** The threshold that a rule holds its counts against. */
export type Spoke =
  /** Ratios of failures, as live's are expected now; without a promotion side nothing is unacceptable. */
  | { readonly kind: 'ratio'; readonly tolerated: number; readonly unacceptable: number | null }
  /** So many of live's requests are at most `liveMs` fast; beyond `candidateMs` a candidate's request counts as slow. */
  | { readonly kind: 'quantile'; readonly level: number; readonly liveMs: number; readonly candidateMs: number }
  /** The smallest part of all requests that the candidate may have. */
  | { readonly kind: 'share'; readonly least: number }
  /** Of the oldest message. */
  | { readonly kind: 'age'; readonly limitMs: number }
  | LimitSpoke;

/** A static limit, and the values of both lanes in the newest reading, `null` for a lane that said nothing. `beyond`: readings running in which only the candidate was beyond it; at `looks` of them it rolls back. */
export type LimitSpoke = {
  readonly kind: 'limit';
  readonly min: number | null;
  readonly max: number | null;
  readonly live: number | null;
  readonly candidate: number | null;
  readonly beyond: number;
  readonly looks: number;
};

/** Counts since the start. In the one-lane watch `live` is the history that the candidate is judged against. */
export type PairCounts = { readonly live: LaneCounts; readonly candidate: LaneCounts };

/** What a rule without a promotion side leaves unsaid. */
export const rollbackOnly = {
  logPromote: null,
  needCandidate: null,
  promotable: true,
  hard: false,
  spoke: null,
} as const;

/** What a limit says that no evidence is weighed against: it is reached or not, and no request is counted. */
export function limitVerdict(hard: boolean, elapsed: number, spoke: RuleVerdict['spoke']): RuleVerdict {
  const none = { requests: 0, failures: 0 };
  return {
    ...rollbackOnly,
    kind: hard ? 'rollback' : 'hold',
    logRollback: 0,
    elapsed,
    closed: false,
    hard,
    counts: { live: none, candidate: none },
    spoke,
  };
}

export type BuiltInRule =
  | 'failed'
  | 'refused'
  | 'probe-failed'
  | 'probe-refused'
  | 'latency'
  | 'ackTime'
  | 'capacity'
  | 'redelivered'
  | 'dropped'
  | 'share'
  | 'guard';

/** Metrics of the user's own, by their names in headgate.yaml: a test like that of failed requests, or a static limit. */
export type OwnPairName = `metric:${string}`;
export type LimitName = `limit:${string}`;
export type OwnRule = OwnPairName | LimitName;

export type RuleName = BuiltInRule | OwnRule;

/** A rule's verdict among others. `at`: when the rule was last fed, in seconds on the judge's clock of evidence. */
export type RuleReport = RuleVerdict & { readonly name: RuleName; readonly at: number };

/**
 * Why the judge says what it says. A rollback names the rule that weighs most, a promotion is `good-enough`, and a hold
 * waits: for `evidence`, for the `bake`, for requests (`no-traffic`), for a rule that is fed no more (`stale`), for both
 * lanes to stop failing (`both-lanes-failing`), for a metric to come back within its static limit (`beyond-limit`).
 */
export type VerdictReason =
  | RuleName
  | 'good-enough'
  | 'evidence'
  | 'bake'
  | 'no-traffic'
  | 'stale'
  | 'both-lanes-failing'
  | 'beyond-limit';

/** What the whole judge says. Wealths are natural logs: odds are e to them. */
export type Verdict = {
  readonly kind: VerdictKind;
  readonly reason: VerdictReason;
  /** Log of the weighted mean of the rules' wealths; rolls back at ln(1/alpha). */
  readonly logRollback: number;
  /** The smallest of all rules with a promotion side; promotes at ln(1/beta). `null` where nothing is compared. */
  readonly logPromote: number | null;
  readonly needCandidate: number | null;
  /** Seconds of evidence in all, and at the present weight. */
  readonly elapsed: number;
  readonly atWeightSec: number;
  readonly rules: readonly RuleReport[];
};
