import type { LaneCounts } from './verdict.ts';

/**
 * How much more the live lane's failures vary than independent ones would: the design effect of survey statistics,
 * estimated by the Pearson statistic of neighbouring stretches, so that slow drift cancels out. Log evidence is divided
 * by it (S^(1/kappa) is still an e-variable, by Jensen), so that clustered failures do not count as many witnesses.
 */
export type Dispersion = {
  /** The open stretch. */
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  /** The stretch before it; `null` until one is closed. */
  readonly previous: LaneCounts | null;
  /** Decayed sum and number of the stretches' statistics; each is 1 on average for independent requests. */
  readonly sum: number;
  readonly count: number;
  /** Decayed totals of the lane, for the rate that tells when a stretch is long enough. */
  readonly totalFailures: number;
  readonly totalRequests: number;
};

const halfLifeSec = 1800;
const stretchSecMin = 10;
/** Statistics of value 1 that stand for "independent until shown otherwise". */
const prior = 20;
const deadband = 1.3;
const safety = 1.25;
const factorMax = 200;

export const noDispersion: Dispersion = {
  requests: 0,
  failures: 0,
  seconds: 0,
  previous: null,
  sum: 0,
  count: 0,
  totalFailures: 0,
  totalRequests: 0,
};

/** kappa, from 1 to 200: what log evidence is divided by. */
export function designEffect({ sum, count }: Dispersion): number {
  const seen = (sum + prior) / (count + prior);
  return seen < deadband ? 1 : Math.min(factorMax, (safety * sum) / count);
}

/** Adds `seconds` of live counts. A stretch closes after 10 s, once a failure can be expected in it. */
export function disperse(state: Dispersion, counts: LaneCounts, seconds: number): Dispersion {
  const open = {
    ...state,
    requests: state.requests + counts.requests,
    failures: state.failures + counts.failures,
    seconds: state.seconds + seconds,
    totalFailures: state.totalFailures + counts.failures,
    totalRequests: state.totalRequests + counts.requests,
  };
  const rate = (open.totalFailures + 0.5) / (open.totalRequests + 100);
  const isOpen = open.seconds < stretchSecMin || open.requests * rate * (1 - rate) < 1;
  return isOpen ? open : closeStretch(open, rate);
}

function closeStretch(state: Dispersion, rate: number): Dispersion {
  const next = {
    ...state,
    requests: 0,
    failures: 0,
    seconds: 0,
    previous: { requests: state.requests, failures: state.failures },
  };
  if (state.previous === null) return next;
  const kept = 2 ** (-state.seconds / halfLifeSec);
  return {
    ...next,
    sum: state.sum * kept + pearson(state, state.previous, rate),
    count: state.count * kept + 1,
    totalFailures: state.totalFailures * kept,
    totalRequests: state.totalRequests * kept,
  };
}

/** Squared difference of two ratios over its variance under independence; `rate` counts as one more request. */
function pearson(one: LaneCounts, other: LaneCounts, rate: number): number {
  const pooled = (one.failures + other.failures + rate) / (one.requests + other.requests + 1);
  const p = Math.min(0.999, Math.max(1e-9, pooled));
  const difference = one.failures / one.requests - other.failures / other.requests;
  return difference ** 2 / (p * (1 - p) * (1 / one.requests + 1 / other.requests));
}
