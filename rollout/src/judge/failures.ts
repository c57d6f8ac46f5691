import {
  betterGains,
  blockGainMax,
  failureArms,
  isBoundaryFull,
  promotionWeights,
  rollbackWeights,
  worseGains,
} from './arms.ts';
import { type Block, type Line, lineAt } from './block.ts';
import { credited } from './credit.ts';
import { type Dispersion, designEffect, disperse, noDispersion } from './dispersion.ts';
import { type Ledger, logSumExp, logWealth, openLedger, release, settle } from './ledger.ts';
import { emptyMemory, expectedRate, type Memory, remember } from './memory.ts';
import { neededToPromote } from './needed.ts';
import { keepPace, type Pace, recentGrowth } from './pace.ts';
import type { Lines } from './presets.ts';
import type { LaneCounts, PairCounts, RuleVerdict } from './verdict.ts';
import { verdictKind } from './verdict.ts';

/**
 * The pair rule: does the candidate fail more often than live, by more than is tolerated? Two test martingales on the
 * same blocks of counts, one for rollback, one for promotion. It judges whatever is counted as a failure: failed and
 * refused requests, real and synthetic ones.
 */
export type PairState = {
  readonly settings: PairSettings;
  /** Candidate's share of the requests, 0 to 1; only for the estimate of what is needed. */
  readonly weight: number;
  readonly rollback: Ledger;
  /** Natural log of the wealth of each promotion arm. */
  readonly promotion: readonly number[];
  readonly memory: Memory;
  readonly dispersion: Dispersion;
  readonly open: OpenBlock;
  /** Seconds of evidence, with or without requests; priming left out. */
  readonly elapsed: number;
  readonly counts: PairCounts;
  readonly pace: Pace;
};

/** `alpha`, `beta`: false rollback and false promotion per release. `bakeSec`: no promotion before. */
export type PairSettings = Lines & { readonly alpha: number; readonly beta: number; readonly bakeSec: number };

type OpenBlock = Block & { readonly seconds: number };

/** Small blocks cost nothing as long as both lanes are in them; the size depends on counts, never on outcomes. */
const blockRequestsMin = 4;

const emptyBlock: OpenBlock = { nL: 0, fL: 0, nC: 0, fC: 0, seconds: 0 };
const noCounts: LaneCounts = { requests: 0, failures: 0 };

export function start(settings: PairSettings, weight: number): PairState {
  return {
    settings,
    weight,
    rollback: openLedger(rollbackWeights),
    promotion: promotionWeights.map(Math.log),
    memory: emptyMemory,
    dispersion: noDispersion,
    open: emptyBlock,
    elapsed: 0,
    counts: { live: noCounts, candidate: noCounts },
    pace: [],
  };
}

/** Adds live traffic from before the start, oldest first, in stretches of about 10 s; 10 minutes of it are enough. */
export function prime(state: PairState, live: LaneCounts, seconds: number): PairState {
  return { ...state, ...learn(state, live, seconds) };
}

/** Adds the counts of one good scrape, `seconds` after the one before it. A failed scrape is no input. */
export function step(
  state: PairState,
  live: LaneCounts,
  candidate: LaneCounts,
  seconds: number,
): [PairState, RuleVerdict] {
  const { nL, fL, nC, fC, seconds: before } = state.open;
  const open: OpenBlock = {
    nL: nL + live.requests,
    fL: fL + live.failures,
    nC: nC + candidate.requests,
    fC: fC + candidate.failures,
    seconds: before + seconds,
  };
  const counted: PairState = {
    ...state,
    open,
    elapsed: state.elapsed + seconds,
    counts: { live: add(state.counts.live, live), candidate: add(state.counts.candidate, candidate) },
  };
  const isSmall = open.nL < blockRequestsMin || open.nC < blockRequestsMin;
  return isSmall ? [counted, read(counted)] : closeBlock(counted);
}

/** Closes the open block before the weight changes (a block that straddles a change can show a false difference), then stakes a tranche. */
export function onWeightChange(state: PairState, weight: number): [PairState, RuleVerdict] {
  const [closed, verdict] = closeBlock(state);
  const next = { ...closed, weight, rollback: release(closed.rollback, rollbackWeights) };
  return [next, verdict];
}

/** What the rule says without a new input. */
export function read(state: PairState): RuleVerdict {
  return verdictOn(state, { closed: false, promotable: isPromotable(state, emptyBlock) });
}

function closeBlock(state: PairState): [PairState, RuleVerdict] {
  const { open } = state;
  if (open.seconds === 0) return [state, read(state)];
  const promotable = isPromotable(state, open);
  const scored = open.nL > 0 && open.nC > 0 ? score(state) : state;
  const learnt = learn(scored, { requests: open.nL, failures: open.fL }, open.seconds);
  const next: PairState = { ...scored, ...learnt, open: emptyBlock };
  return [{ ...next, pace: keepPace(next.pace, markOf(next)) }, verdictOn(next, { closed: true, promotable })];
}

function score(state: PairState): PairState {
  const { open, settings } = state;
  const { a, kappa } = outlook(state);
  const gainMax = blockGainMax(failureArms, open.seconds);
  const gains = worseGains(failureArms, open, { a, kappa, line: settings.tolerated }).map((gain) =>
    Math.min(gainMax, gain),
  );
  const credits = betterGains(open, { a, kappa, line: settings.unacceptable });
  return {
    ...state,
    rollback: settle(state.rollback, gains, rollbackWeights),
    promotion: credited(state.promotion, credits, settings.beta),
  };
}

/** Live rate and design effect expected from the past: what the next block is bet with. */
export function outlook({ memory, dispersion }: PairState): { readonly a: number; readonly kappa: number } {
  return { a: expectedRate(memory), kappa: designEffect(dispersion) };
}

function learn(
  { memory, dispersion }: PairState,
  live: LaneCounts,
  seconds: number,
): Pick<PairState, 'memory' | 'dispersion'> {
  return { memory: remember(memory, live, seconds), dispersion: disperse(dispersion, live, seconds) };
}

function isPromotable(state: PairState, { nL, fL }: Block): boolean {
  const { unacceptable } = state.settings;
  const seen = nL > 0 ? fL / nL : 0;
  return !isBoundaryFull(lineAt(unacceptable, outlook(state).a)) && !isBoundaryFull(lineAt(unacceptable, seen));
}

function verdictOn(
  state: PairState,
  { closed, promotable }: { readonly closed: boolean; readonly promotable: boolean },
): RuleVerdict {
  const { settings, elapsed, counts } = state;
  const logRollback = logWealth(state.rollback);
  const logPromote = logSumExp(state.promotion);
  const mayPromote = closed && promotable && elapsed >= settings.bakeSec;
  const needCandidate = needed(state);
  const { a } = outlook(state);
  return {
    kind: verdictKind(settings, { logRollback, logPromote, mayPromote }),
    logRollback,
    logPromote,
    needCandidate,
    elapsed,
    closed,
    promotable,
    hard: false,
    counts,
    spoke: {
      kind: 'ratio',
      tolerated: ratioAt(settings.tolerated, a),
      unacceptable: ratioAt(settings.unacceptable, a),
    },
  };
}

function ratioAt(line: Line, rate: number): number {
  return Math.min(1, lineAt(line, rate));
}

/** By recent growth where there was some, else as if the candidate were as good as live. */
function needed(state: PairState): number | null {
  const { settings, weight } = state;
  const mark = markOf(state);
  const nats = Math.log(1 / settings.beta) - mark[1];
  if (nats <= 0) return 0;
  const growth = recentGrowth(state.pace, mark);
  if (growth !== undefined && growth > 0) return Math.ceil(nats / growth);
  const p = outlook(state).a;
  const line = settings.unacceptable;
  if (weight <= 0 || weight >= 1 || isBoundaryFull(lineAt(line, p))) return null;
  return Math.ceil(neededToPromote(nats, { p, weight, line }));
}

function markOf({ elapsed, promotion, counts }: PairState): [number, number, number] {
  return [elapsed, logSumExp(promotion), counts.candidate.requests];
}

function add(one: LaneCounts, other: LaneCounts): LaneCounts {
  return { requests: one.requests + other.requests, failures: one.failures + other.failures };
}
