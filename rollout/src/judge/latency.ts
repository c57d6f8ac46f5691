import { blockGainMax, rollbackWeights, type WorseArms, worseGains } from './arms.ts';
import { type Block, type Line, logBet } from './block.ts';
import { type Dispersion, designEffect, disperse, noDispersion } from './dispersion.ts';
import { above, addTo, edgeFrom, edgeMs, type Histogram, type Threshold, thresholds, total } from './histogram.ts';
import { type Ledger, logSumExp, logWealth, openLedger, release, settle } from './ledger.ts';
import { natsPerRequest, promotionOverhead } from './needed.ts';
import { keepPace, type Pace, recentGrowth } from './pace.ts';
import type { PairCounts, RuleVerdict, Spoke, VerdictKind } from './verdict.ts';

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

type Outlook = readonly (Threshold & { readonly kappa: number })[];
type OpenBlock = { readonly live: Histogram; readonly candidate: Histogram; readonly seconds: number };

export const levels: readonly number[] = [0.5, 0.9, 0.99, 0.999];
const criticalLevels: readonly number[] = [0.95, 0.99];

/** Pods pause now and then, all their requests with them: hence a lower cap per event than for failures. */
const arms: WorseArms = { oddsOver: [1.25, 1.6, 2.5, 6], nearlyAll: 0.9, gainNats: 1.5 };
/** What the promotion arms bet on: so much of the part of live's requests that lies above the threshold. */
const fewer: readonly number[] = [0.05, 0.25, 0.55, 0.8];
const fewerWeights: readonly number[] = [0.25, 0.3, 0.25, 0.2];

const diagonal: Line = { rho: 1, delta: 0 };
const blockRequestsMin = 4;
const halfLifeSec = 300;
const creditNats = 2;
/** Fewer latencies than this have no quantiles that clustering could be measured at. */
const pastMin = 100;

const emptyBlock: OpenBlock = { live: [], candidate: [], seconds: 0 };
const noCounts: PairCounts = { live: { requests: 0, failures: 0 }, candidate: { requests: 0, failures: 0 } };

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

/** Adds live's latencies from before the start, oldest first, in stretches of about 10 s; 10 minutes of them are enough. */
export function prime(state: LatencyState, live: Histogram, seconds: number): LatencyState {
  const dispersions =
    total(state.past) < pastMin ? state.dispersions : dispersed(state, outlook(state), { live, seconds });
  return { ...state, dispersions, past: addTo(state.past, live) };
}

/** Adds the latencies of one good scrape, `seconds` after the one before it. A failed scrape is no input. */
export function step(
  state: LatencyState,
  live: Histogram,
  candidate: Histogram,
  seconds: number,
): [LatencyState, RuleVerdict] {
  const open: OpenBlock = {
    live: addTo(state.open.live, live),
    candidate: addTo(state.open.candidate, candidate),
    seconds: state.open.seconds + seconds,
  };
  const counted: LatencyState = { ...state, open, elapsed: state.elapsed + seconds };
  const isSmall = total(open.live) < blockRequestsMin || total(open.candidate) < blockRequestsMin;
  return isSmall ? [counted, read(counted)] : closeBlock(counted);
}

/** Closes the open block before the weight changes, then stakes a tranche at each level. */
export function onWeightChange(state: LatencyState, weight: number): [LatencyState, RuleVerdict] {
  const [closed, verdict] = closeBlock(state);
  return [{ ...closed, weight, rollback: closed.rollback.map((ledger) => release(ledger, rollbackWeights)) }, verdict];
}

/** What the rule says without a new input. */
export function read(state: LatencyState): RuleVerdict {
  return verdictOn(state, false);
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

/** Requests of the open block and those above the thresholds. */
export function exceedances(
  { live, candidate }: Omit<OpenBlock, 'seconds'>,
  liveEdge: number,
  candidateEdge: number,
): Block {
  return { nL: total(live), fL: above(live, liveEdge), nC: total(candidate), fC: above(candidate, candidateEdge) };
}

/** The candidate's threshold where live's is `edge`: so many buckets higher, and the slack on top. */
function shifted(edge: number, shift: number, slackMs: number): number {
  return slackMs === 0 ? edge + shift : edgeFrom(edgeMs(edge + shift) + slackMs);
}

function closeBlock(state: LatencyState): [LatencyState, RuleVerdict] {
  const { open } = state;
  if (open.seconds === 0) return [state, read(state)];
  const stakes = outlook(state);
  const scored = total(open.live) > 0 && total(open.candidate) > 0 ? score(state, stakes) : state;
  const next: LatencyState = {
    ...scored,
    dispersions: dispersed(state, stakes, { live: open.live, seconds: open.seconds }),
    past: addTo(state.past, open.live, 2 ** (-open.seconds / halfLifeSec)),
    open: emptyBlock,
  };
  const paced = { ...next, pace: keepPace(next.pace, markOf(next)) };
  return [paced, verdictOn(paced, true)];
}

/** Of the `k`-th threshold, `levels` first. */
function candidateEdge(
  { toleratedShift, unacceptableShift, slackMs }: LatencySettings,
  k: number,
  edge: number,
): number {
  return shifted(edge, k < levels.length ? toleratedShift : unacceptableShift, slackMs);
}

function score(state: LatencyState, stakes: Outlook): LatencyState {
  const { open, settings } = state;
  const gainMax = blockGainMax(arms, open.seconds);
  const blocks = stakes.map(({ edge }, k) => exceedances(open, edge, candidateEdge(settings, k, edge)));
  const at = (k: number) => ({ block: blocks[k] ?? noBlock, stake: stakes[k] ?? { edge: 1, a: 0.99, kappa: 1 } });
  return {
    ...state,
    rollback: state.rollback.map((ledger, k) => {
      const { block, stake } = at(k);
      const gains = worseGains(arms, block, { ...stake, line: diagonal }).map((gain) => Math.min(gainMax, gain));
      return settle(ledger, gains, rollbackWeights);
    }),
    promotion: state.promotion.map((wealth, k) => {
      const { block, stake } = at(levels.length + k);
      return credited(wealth, betterGains(block, stake), settings.beta);
    }),
    counts: state.counts.map((counts, k) => counted(counts, at(k).block)),
  };
}

const noBlock: Block = { nL: 0, fL: 0, nC: 0, fC: 0 };

/** Nats won by each promotion arm, tempered. */
function betterGains(block: Block, { a, kappa }: { readonly a: number; readonly kappa: number }): number[] {
  return fewer.map((part) => logBet(block, { a, q: part * a, line: diagonal }) / kappa);
}

function credited(wealth: readonly number[], gains: readonly number[], beta: number): number[] {
  const moved = wealth.map((arm, k) => arm + (gains[k] ?? 0));
  const excess = Math.max(0, logSumExp(moved) - (Math.log(1 / beta) + creditNats));
  return moved.map((arm) => arm - excess);
}

/** Thresholds from before the stretch, so that what lies above them is counted on what was known. */
function dispersed(
  state: LatencyState,
  stakes: Outlook,
  { live, seconds }: Pick<OpenBlock, 'live' | 'seconds'>,
): readonly Dispersion[] {
  const requests = total(live);
  return stakes.map(({ edge }, k) =>
    disperse(state.dispersions[k] ?? noDispersion, { requests, failures: above(live, edge) }, seconds),
  );
}

function counted({ live, candidate }: PairCounts, { nL, fL, nC, fC }: Block): PairCounts {
  return {
    live: { requests: live.requests + nL, failures: live.failures + fL },
    candidate: { requests: candidate.requests + nC, failures: candidate.failures + fC },
  };
}

function verdictOn(state: LatencyState, closed: boolean): RuleVerdict {
  const { settings, elapsed } = state;
  const { worse, good } = logWealths(state);
  const logRollback = logSumExp(worse) - Math.log(levels.length);
  const logPromote = Math.min(...good);
  const mayPromote = closed && elapsed >= settings.bakeSec && logPromote >= Math.log(1 / settings.beta);
  let kind: VerdictKind = mayPromote ? 'promote' : 'hold';
  if (logRollback >= Math.log(1 / settings.alpha)) kind = 'rollback';
  const loudest = worse.indexOf(Math.max(...worse));
  const counts = state.counts[loudest] ?? noCounts;
  const needCandidate = needed(state);
  const spoke = spokeAt(state, loudest);
  return {
    kind,
    logRollback,
    logPromote,
    needCandidate,
    elapsed,
    closed,
    promotable: true,
    hard: false,
    counts,
    spoke,
  };
}

function spokeAt(state: LatencyState, k: number): Spoke {
  const { settings, past } = state;
  const level = levels[k] ?? 0.5;
  const [threshold] = thresholds(past, [level]);
  const liveMs = edgeMs(threshold?.edge ?? 1);
  const candidateMs = edgeMs(candidateEdge(settings, k, threshold?.edge ?? 1));
  return { level, liveMs, candidateMs };
}

/** By recent growth where there was some, else as if the candidate were as fast as live. */
function needed(state: LatencyState): number | null {
  const { settings, weight, past } = state;
  const mark = markOf(state);
  if (Math.log(1 / settings.beta) <= mark[1]) return 0;
  const growth = recentGrowth(state.pace, mark);
  if (growth !== undefined && growth > 0) return Math.ceil((Math.log(1 / settings.beta) - mark[1]) / growth);
  if (weight <= 0 || weight >= 1 || total(past) < pastMin) return null;
  const stakes = outlook(state).slice(levels.length);
  const needs = logWealths(state).good.map((good, k) => {
    const { edge, a, kappa } = stakes[k] ?? { edge: 1, a: 0.99, kappa: 1 };
    const pC = Math.min(a, above(past, candidateEdge(settings, levels.length, edge)) / total(past));
    const nats = natsPerRequest({ pL: a, pC, weight, line: diagonal }) / kappa;
    return (promotionOverhead * Math.max(0, Math.log(1 / settings.beta) - good)) / nats;
  });
  const most = Math.ceil(Math.max(...needs));
  return Number.isFinite(most) ? most : null;
}

function markOf(state: LatencyState): [number, number, number] {
  return [state.elapsed, Math.min(...logWealths(state).good), state.counts[0]?.candidate.requests ?? 0];
}
