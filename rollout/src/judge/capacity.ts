import { creditMax } from './credit.ts';
import { type Ledger, logWealth, openLedger, release, settle } from './ledger.ts';
import { density, upperTail } from './normal.ts';
import { type RuleVerdict, verdictKind } from './verdict.ts';

/**
 * The queue rule: does the candidate work off what its weight sends it? Lag is autocorrelated, and a small lane queues
 * more than a large one at equal load, so lags are not compared. Rollback looks at blocks in which the candidate had
 * work for the whole of the time, and bets that it does less than its share of the arrivals (bets on a mean that is
 * known only to be at least m0: Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", 2023).
 * A burst never alarms: while it drains the candidate does all it can, which is at least its share. Promotion wants
 * enough arrivals with the backlog drained.
 */
export type CapacityState = {
  readonly settings: CapacitySettings;
  /** Candidate's share of the messages, 0 to 1. */
  readonly weight: number;
  readonly ledger: Ledger;
  /** Natural log of the promotion side's wealth. */
  readonly credit: number;
  /** Arrivals of both lanes, older ones for less; bursts included. 0: nothing is known yet. */
  readonly arrivalsPerSec: number;
  /** What waited when the open block began, and what waits now. */
  readonly began: Backlogs;
  readonly backlogs: Backlogs;
  readonly open: OpenBlock;
  readonly elapsed: number;
  /** Since the start: messages that came, and those of them that nobody has worked off. */
  readonly live: Flow;
  readonly candidate: Flow;
};

export type CapacitySettings = { readonly alpha: number; readonly beta: number; readonly bakeSec: number };

/** One lane between two looks. `acked`: counted by the workers. `expired`: left the lane and nobody worked on them. */
export type LaneQueue = {
  readonly arrived: number;
  readonly acked: number;
  readonly expired: number;
  /** Messages that wait now, delivered ones included. */
  readonly backlog: number;
};

type Flow = { readonly arrived: number; readonly acked: number };
type Backlogs = { readonly live: number; readonly candidate: number };
type OpenBlock = {
  readonly live: Flow;
  readonly candidate: Flow;
  readonly expired: number;
  readonly seconds: number;
};

/** How a block is scored: its need, what is left of it after live's own trouble, the bound, and what was done of it. */
export type Score = {
  readonly need: number;
  readonly r: number;
  readonly m0: number | null;
  readonly x: number | null;
};

const blockSecMin = 10;
const needMin = 8;
/** A need that live's own trouble has cut below this is not scored. */
const cutNeedMin = 3;
/** Of the memory for arrivals. */
export const halfLifeSec = 600;
/** A consumer in good health can do a fifth more than its share, and its work comes in lumps of four. */
const headroom = 0.2;
const dispersion = 4;
const boundMax = 0.98;
/** Live has a queue of its own from a quarter of its need on; it may then be slower than the candidate by so much. */
const liveQueue = 0.25;
const liveSlack = 1.35;

const stakes = [0.3, 0.6, 0.95] as const;
const weights: readonly number[] = [0.2, 0.35, 0.45];

const shortfall = 0.2;

const noFlow: Flow = { arrived: 0, acked: 0 };
const emptyBlock: OpenBlock = { live: noFlow, candidate: noFlow, expired: 0, seconds: 0 };

export function start(settings: CapacitySettings, weight: number): CapacityState {
  const none = { live: 0, candidate: 0 };
  return {
    settings,
    weight,
    ledger: openLedger(weights),
    credit: 0,
    arrivalsPerSec: 0,
    began: none,
    backlogs: none,
    open: emptyBlock,
    elapsed: 0,
    live: noFlow,
    candidate: noFlow,
  };
}

/** `arrivalsPerSec`: of both lanes together, before the start. */
export function prime(state: CapacityState, arrivalsPerSec: number, weight: number): CapacityState {
  return { ...state, arrivalsPerSec, weight };
}

/** Adds one good look at both queues, `seconds` after the one before it. A look that was missed is no input. */
export function step(
  state: CapacityState,
  live: LaneQueue,
  candidate: LaneQueue,
  seconds: number,
): [CapacityState, RuleVerdict] {
  const { open } = state;
  const arrived = live.arrived + candidate.arrived;
  const next: CapacityState = {
    ...state,
    // Nothing was known, so that no block could ever be long enough: the first messages tell.
    arrivalsPerSec: state.arrivalsPerSec === 0 && seconds > 0 ? arrived / seconds : state.arrivalsPerSec,
    open: {
      live: add(open.live, live),
      candidate: add(open.candidate, candidate),
      expired: open.expired + live.expired + candidate.expired,
      seconds: open.seconds + seconds,
    },
    backlogs: { live: live.backlog, candidate: candidate.backlog },
    elapsed: state.elapsed + seconds,
    live: add(state.live, live),
    candidate: add(state.candidate, candidate),
  };
  const isShort = next.open.seconds < blockSecMin || needOf(next) < needMin;
  return isShort ? [next, read(next)] : closeBlock(next);
}

/** Closes the open block before the weight changes, then stakes a tranche. */
export function onWeightChange(state: CapacityState, weight: number): [CapacityState, RuleVerdict] {
  const [closed, verdict] = closeBlock(state);
  return [{ ...closed, weight, ledger: release(closed.ledger, weights) }, verdict];
}

/** What the rule says without a new look. */
export function read(state: CapacityState): RuleVerdict {
  return verdictOn(state, { closed: false, promotable: true });
}

/** Messages that the candidate's share of the arrivals brings in the open block, by the rate from before it. */
function needOf({ arrivalsPerSec, weight, open }: CapacityState): number {
  return arrivalsPerSec * weight * open.seconds;
}

/** What the open block says; `x` is `null` where it says nothing. */
export function scoreOf(state: CapacityState): Score {
  const { open, began, weight, arrivalsPerSec } = state;
  const need = needOf(state);
  if (weight === 0 || began.candidate < need) return { need, r: need, m0: null, x: null };
  const liveNeed = arrivalsPerSec * (1 - weight) * open.seconds;
  // The candidate is not blamed for a dependency that slows live down as well.
  const isCut = liveNeed > 0 && began.live >= liveQueue * liveNeed;
  const r = isCut ? Math.min(need, ((open.live.acked / liveNeed) * need) / liveSlack) : need;
  if (r < cutNeedMin) return { need, r, m0: null, x: null };
  return { need, r, m0: leastMean(r), x: Math.min(1, open.candidate.acked / r) };
}

/** The mean of min(1, done/need) that a consumer with the stated headroom and lumpiness reaches at least. */
export function leastMean(need: number): number {
  const spread = Math.sqrt((dispersion * (1 + headroom)) / need);
  const z = headroom / spread;
  return Math.min(boundMax, 1 - spread * (density(z) - z * upperTail(z)));
}

function closeBlock(state: CapacityState): [CapacityState, RuleVerdict] {
  const { open } = state;
  if (open.seconds === 0) return [state, read(state)];
  const kept = 2 ** (-open.seconds / halfLifeSec);
  const rate = (open.live.arrived + open.candidate.arrived) / open.seconds;
  const next: CapacityState = {
    ...state,
    ledger: settled(state),
    credit: creditAfter(state),
    arrivalsPerSec: state.arrivalsPerSec * kept + (1 - kept) * rate,
    began: state.backlogs,
    open: emptyBlock,
  };
  return [next, verdictOn(next, { closed: true, promotable: open.expired === 0 })];
}

function settled(state: CapacityState): Ledger {
  const { m0, x } = scoreOf(state);
  if (m0 === null || x === null) return state.ledger;
  const gains = stakes.map((stake) => Math.log(1 + (stake / (1 - m0)) * (m0 - x)));
  return settle(state.ledger, gains, weights);
}

/** Grows with arrivals that were worked off, and shrinks with those that were not; never by messages that expired. */
function creditAfter({ settings, credit, open }: CapacityState): number {
  const { arrived, acked } = open.candidate;
  const moved =
    (acked * Math.log((2 - shortfall) / (2 * (1 - shortfall))) + arrived * Math.log((2 - shortfall) / 2)) / 2;
  const gain = open.expired > 0 ? Math.min(0, moved) : moved;
  return Math.min(credit + gain, creditMax(settings.beta));
}

function verdictOn(
  state: CapacityState,
  { closed, promotable }: { readonly closed: boolean; readonly promotable: boolean },
): RuleVerdict {
  const { settings, elapsed, credit, live, candidate } = state;
  const logRollback = logWealth(state.ledger);
  const enough = Math.log(1 / settings.beta);
  const mayPromote = closed && promotable && elapsed >= settings.bakeSec;
  return {
    kind: verdictKind(settings, { logRollback, logPromote: credit, mayPromote }),
    logRollback,
    logPromote: credit,
    needCandidate: Math.ceil(Math.max(0, enough - credit) / gainPerArrival),
    elapsed,
    closed,
    promotable,
    hard: false,
    counts: { live: undone(live), candidate: undone(candidate) },
    spoke: null,
  };
}

/** Nats of a message that is worked off. */
const gainPerArrival = (Math.log((2 - shortfall) / (2 * (1 - shortfall))) + Math.log((2 - shortfall) / 2)) / 2;

function undone({ arrived, acked }: Flow) {
  return { requests: arrived, failures: Math.max(0, arrived - acked) };
}

function add(one: Flow, { arrived, acked }: Flow): Flow {
  return { arrived: one.arrived + arrived, acked: one.acked + acked };
}
