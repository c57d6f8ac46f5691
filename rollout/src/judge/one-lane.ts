import { blockGainMax, failureArms, rollbackWeights, worseRates } from './arms.ts';
import { lineAt, logRatio } from './block.ts';
import { upperBound } from './clopper-pearson.ts';
import { type Ledger, logWealth, openLedger, release, settle } from './ledger.ts';
import type { Lines } from './presets.ts';
import { type LaneCounts, type RuleVerdict, rollbackOnly } from './verdict.ts';

/**
 * One lane judged against history, one-sample bets, rollback side only. After a promotion nothing is left to compare with: the former
 * live lane's history is frozen at the switch. In an A/B test live is at work, but with other users: its history goes on (`refer`).
 */
export type OneLaneState = {
  readonly alpha: number;
  /** The tolerated failure ratio: nothing below it is held against the lane. */
  readonly bound: number;
  /** Design effect, measured on the former live lane and frozen at the switch. */
  readonly kappa: number;
  readonly history: LaneCounts;
  readonly ledger: Ledger;
  readonly open: LaneCounts & { readonly seconds: number };
  readonly elapsed: number;
  readonly counts: LaneCounts;
};

const confidence = 0.99;
const blockRequestsMin = 4;
const emptyBlock = { requests: 0, failures: 0, seconds: 0 };

/** `history`: the live lane's last 10 minutes. Without any, the bound is 1 and the rule never speaks. */
export function start(
  { alpha, tolerated, kappa }: Pick<Lines, 'tolerated'> & { readonly alpha: number; readonly kappa: number },
  history: LaneCounts,
): OneLaneState {
  return {
    alpha,
    bound: lineAt(tolerated, upperBound(history, confidence)),
    kappa,
    history,
    ledger: openLedger(rollbackWeights),
    open: emptyBlock,
    elapsed: 0,
    counts: { requests: 0, failures: 0 },
  };
}

/** Another history, from the next block on: what a bet is made by must be known before what it bets on. */
export function refer(
  state: OneLaneState,
  { history, kappa }: Pick<OneLaneState, 'history' | 'kappa'>,
  { tolerated }: Pick<Lines, 'tolerated'>,
): OneLaneState {
  if (state.open.seconds > 0) return state;
  return { ...state, kappa, history, bound: lineAt(tolerated, upperBound(history, confidence)) };
}

/** Adds the counts of one good scrape of the lane that is judged. */
export function step(
  state: OneLaneState,
  { requests, failures }: LaneCounts,
  seconds: number,
): [OneLaneState, RuleVerdict] {
  const { open, counts } = state;
  const next: OneLaneState = {
    ...state,
    open: {
      requests: open.requests + requests,
      failures: open.failures + failures,
      seconds: open.seconds + seconds,
    },
    elapsed: state.elapsed + seconds,
    counts: { requests: counts.requests + requests, failures: counts.failures + failures },
  };
  return next.open.requests < blockRequestsMin ? [next, read(next)] : closeBlock(next);
}

export function onWeightChange(state: OneLaneState): [OneLaneState, RuleVerdict] {
  const [closed, verdict] = closeBlock(state);
  return [{ ...closed, ledger: release(closed.ledger, rollbackWeights) }, verdict];
}

/** What the rule says without a new input. */
export function read({ alpha, bound, ledger, elapsed, history, counts }: OneLaneState): RuleVerdict {
  const logRollback = logWealth(ledger);
  return {
    ...rollbackOnly,
    kind: logRollback >= Math.log(1 / alpha) ? 'rollback' : 'hold',
    logRollback,
    elapsed,
    closed: false,
    counts: { live: history, candidate: counts },
    spoke: { kind: 'ratio', tolerated: Math.min(1, bound), unacceptable: null },
  };
}

function closeBlock(state: OneLaneState): [OneLaneState, RuleVerdict] {
  const { open } = state;
  if (open.seconds === 0) return [state, read(state)];
  const ledger = open.requests > 0 ? settle(state.ledger, gains(state), rollbackWeights) : state.ledger;
  const next = { ...state, ledger, open: emptyBlock };
  return [next, { ...read(next), closed: true }];
}

function gains({ bound, kappa, open }: OneLaneState): number[] {
  const gainMax = blockGainMax(failureArms, open.seconds);
  const block = { n: open.requests, f: open.failures };
  return worseRates(failureArms, bound).map((q) =>
    q === undefined ? 0 : Math.min(gainMax, logRatio(block, q, bound) / kappa),
  );
}
