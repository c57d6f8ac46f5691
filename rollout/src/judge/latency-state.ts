import { rollbackWeights } from './arms.ts';
import type { Block, Line } from './block.ts';
import { type Dispersion, designEffect, noDispersion } from './dispersion.ts';
import { edgeFrom, edgeMs, type Histogram, type Threshold, tailsOf, thresholds } from './histogram.ts';
import { type Ledger, logSumExp, logWealth, openLedger } from './ledger.ts';
import type { Pace } from './pace.ts';
import type { PairCounts } from './verdict.ts';

/**
 * The latency rule: is the candidate slower than live by more than is tolerated? If it is at most (1+m) times slower in
 * stochastic order, then for every u no larger part of its requests takes longer than (1+m)u than of live's takes longer
 * than u: a pair test on counts. Four such tests for rollback, at live's own quantiles so far; their mean is an e-process
 * for all of them (Lindon, Sanden, Shirikian, "Rapid regression detection in software deployments through sequential
 * testing", KDD 2022, test stochastic order for canaries too). Two for promotion, both of which must be content.
 */
export type LatencyState = {
  readonly settings: LatencySettings;
  /** Candidate's share of the requests, 0 to 1; only for the estimate of what is needed. */
  readonly weight: number;
  /** One for each of `levels`. */
  readonly rollback: readonly Ledger[];
  /** Natural log of the wealth of each promotion arm, for each of `criticalLevels`. */
  readonly promotion: readonly (readonly number[])[];
  /** Live's clustering above each threshold: `levels`, then `criticalLevels`. */
  readonly dispersions: readonly Dispersion[];
  /** Live's latencies, older ones for less. */
  readonly past: Histogram;
  readonly open: OpenBlock;
  readonly elapsed: number;
  /** Requests since the start, and those above each of `levels`: for whoever asks why. */
  readonly counts: readonly PairCounts[];
  readonly pace: Pace;
};

export type LatencySettings = {
  readonly alpha: number;
  readonly beta: number;
  readonly bakeSec: number;
  /** Buckets by which the candidate may be slower: 1.05^k. */
  readonly toleratedShift: number;
  readonly unacceptableShift: number;
  /** And by so much more, whatever the quantile: a lane with little traffic is a colder one, by a few ms. */
  readonly slackMs: number;
};

export type Outlook = readonly (Threshold & { readonly kappa: number })[];
export type OpenBlock = { readonly live: Histogram; readonly candidate: Histogram; readonly seconds: number };

export const levels: readonly number[] = [0.5, 0.9, 0.99, 0.999];
const criticalLevels: readonly number[] = [0.95, 0.99];

/** What the promotion arms bet on: so much of the part of live's requests that lies above the threshold. */
export const fewer: readonly number[] = [0.05, 0.25, 0.55, 0.8];
const fewerWeights: readonly number[] = [0.25, 0.3, 0.25, 0.2];

/** What lies above a quantile is compared as it is. */
export const diagonal: Line = { rho: 1, delta: 0 };
/** Fewer latencies than this have no quantiles that clustering could be measured at. */
export const pastMin = 100;

export const emptyBlock: OpenBlock = { live: [], candidate: [], seconds: 0 };
export const noCounts: PairCounts = { live: { requests: 0, failures: 0 }, candidate: { requests: 0, failures: 0 } };

export function start(settings: LatencySettings, weight: number): LatencyState {
  return {
    settings,
    weight,
    rollback: levels.map(() => openLedger(rollbackWeights)),
    promotion: criticalLevels.map(() => fewerWeights.map(Math.log)),
    dispersions: [...levels, ...criticalLevels].map(() => noDispersion),
    past: [],
    open: emptyBlock,
    elapsed: 0,
    counts: levels.map(() => noCounts),
    pace: [],
  };
}

/** What the next block is bet with, for each of `levels`, then of `criticalLevels`; all of it from the past. */
export function outlook({ past, dispersions }: LatencyState): Outlook {
  return thresholds(past, [...levels, ...criticalLevels]).map((threshold, k) => ({
    ...threshold,
    kappa: designEffect(dispersions[k] ?? noDispersion),
  }));
}

/** Log wealth of each of `levels`, and of each of `criticalLevels`. */
export function logWealths({ rollback, promotion }: LatencyState): {
  readonly worse: number[];
  readonly good: number[];
} {
  return { worse: rollback.map(logWealth), good: promotion.map(logSumExp) };
}

/** Requests of the open block and those above a pair of thresholds. */
export function exceedances({ live, candidate }: Omit<OpenBlock, 'seconds'>) {
  const [inLive, inCandidate] = [tailsOf(live), tailsOf(candidate)];
  return (liveEdge: number, candidateEdge: number): Block => ({
    nL: inLive[0] ?? 0,
    fL: inLive[liveEdge] ?? 0,
    nC: inCandidate[0] ?? 0,
    fC: inCandidate[candidateEdge] ?? 0,
  });
}

/** Of the `k`-th threshold, `levels` first. */
export function candidateEdge(
  { toleratedShift, unacceptableShift, slackMs }: LatencySettings,
  k: number,
  edge: number,
): number {
  return shifted(edge, k < levels.length ? toleratedShift : unacceptableShift, slackMs);
}

/** The candidate's threshold where live's is `edge`: so many buckets higher, and the slack on top. */
function shifted(edge: number, shift: number, slackMs: number): number {
  return slackMs === 0 ? edge + shift : edgeFrom(edgeMs(edge + shift) + slackMs);
}
