/** What a round of the performance gate is, and by which limits it counts. */
import type { PerfSpec } from '@headgate/rollout';

/** Latencies of one kind of request, from the intended time of sending, in ms. */
export type Timings = Readonly<Record<string, readonly number[]>>;

/** One side of a round. */
export type Side = {
  readonly askedPerSecond: number;
  /** Answers within the round, per second. */
  readonly achievedPerSecond: number;
  readonly requests: number;
  /** No answer, or one from 500 up. */
  readonly errors: number;
  readonly timings: Timings;
};

export type Round = {
  readonly before: Side;
  readonly after: Side;
  readonly machine: { readonly before: Machine; readonly after: Machine };
};

/**
 * What neighbours did to a side while it was measured. What is slow in that moment is slow because of them, and says
 * nothing about a version.
 */
export type Machine = {
  /** Longest time that this machine stood still for somebody who asked for nothing but the time. */
  readonly stillMs: number;
  /** Part of its processors, 0 to 1, that worked for others in their busiest moment. */
  readonly others: number;
};

export type PerfRule = {
  /** Part of the asked rate that must be achieved. */
  readonly achievedMin: number;
  /** Part of the requests that may fail. */
  readonly errorsMax: number;
  readonly msMax: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** No single answer of the new version may take so long if none of the old one does. */
  readonly freezeMs: number;
  /** How much slower counts as equal, e.g. 0.1; of the 99th percentile, which swings more, `tolerance99`. */
  readonly tolerance: number;
  readonly tolerance99: number;
  /** Answers that come so much later than the round's end, as part of it, still count as answered in it. */
  readonly latePart: number;
  /**
   * The 95th and 99th percentile count as no less than this. What is below is made of a few pauses of processors and
   * collectors of garbage in each round, and differs by half between two processes of the very same image.
   */
  readonly tailMinMs: { readonly p95: number; readonly p99: number };
  /** When it is asked whether the rounds so far are enough, the last of them when there are as many as there may be. Shares add up to 1. */
  readonly looks: readonly Look[];
  /** Calm rounds without which nothing passes, however even the sides are: what happens once in half a minute is to be seen. */
  readonly passMin: number;
  /** A standstill from this length on spoils a round: it is 2 % of one of 2.5 s, and more than the tolerance of the 95th percentile. */
  readonly stillMaxMs: number;
  /** And so do others who are busier than this. */
  readonly othersMax: number;
};

/** After so many calm rounds, with a share of the chance to be wrong: who looks often and stops where it suits is wrong more often. */
export type Look = { readonly rounds: number; readonly share: number };

export const perfRule: PerfRule = {
  achievedMin: 0.99,
  errorsMax: 0.001,
  msMax: { p50: 50, p95: 200, p99: 400 },
  freezeMs: 500,
  tolerance: 0.1,
  tolerance99: 0.25,
  latePart: 0.2,
  tailMinMs: { p95: 20, p99: 40 },
  looks: [
    { rounds: 6, share: 0.05 },
    { rounds: 8, share: 0.05 },
    { rounds: 12, share: 0.15 },
    { rounds: 16, share: 0.15 },
    { rounds: 24, share: 0.2 },
    { rounds: 40, share: 0.4 },
  ],
  passMin: 12,
  stillMaxMs: 50,
  othersMax: 0.4,
};

/** By the limits of the app; what is not its to say stays, but for what a slower service needs more of. */
export function ruleFor({ msMax, tolerancePercent, tolerance99Percent }: PerfSpec): PerfRule {
  const longer = Math.max(1, msMax.p99 / perfRule.msMax.p99);
  return {
    ...perfRule,
    msMax,
    freezeMs: perfRule.freezeMs * longer,
    latePart: perfRule.latePart * longer,
    tolerance: tolerancePercent / 100,
    tolerance99: tolerance99Percent / 100,
  };
}

/** As many calm rounds as there may be. */
export function roundsMaxOf({ looks }: PerfRule): number {
  return Math.max(...looks.map(({ rounds }) => rounds));
}

/** Whether a round says something about the versions, and not about who else was there. */
export function isCalm({ machine }: Round, { stillMaxMs, othersMax }: PerfRule): boolean {
  return [machine.before, machine.after].every(({ stillMs, others }) => stillMs < stillMaxMs && others < othersMax);
}
