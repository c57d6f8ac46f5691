import { type Block, type Line, lineAt, logBet } from './block.ts';

/** What the arms of the rollback side bet on: odds over those of the boundary, then a fixed rate. */
export type WorseArms = {
  readonly oddsOver: readonly number[];
  readonly nearlyAll: number;
  /** No single event may decide: an arm wins so many nats at most in a block of up to two seconds, and in proportion in a longer one. */
  readonly gainNats: number;
};

export const failureArms: WorseArms = { oddsOver: [1.7, 3, 7, 25], nearlyAll: 0.95, gainNats: 3.5 };
/** What is staked on each arm of the rollback side. */
export const rollbackWeights: readonly number[] = [0.28, 0.28, 0.22, 0.12, 0.1];

/** Where the arms of the promotion side stand: 0 is the expected live rate, 1 the unacceptable one, -1 no failure at all. */
const positions = [-0.5, 0, 0.2, 0.45] as const;
export const promotionWeights: readonly number[] = [0.15, 0.45, 0.25, 0.15];

const rateMax = 1 - 1e-7;
/** A boundary this high leaves no room to bet. */
const boundaryMax = 1 - 1e-6;

const eventSec = 2;

export function blockGainMax({ gainNats }: WorseArms, seconds: number): number {
  return gainNats * Math.max(1, seconds / eventSec);
}

/** True if nothing can be worse than the boundary: no arm bets, and nothing may be promoted. */
export function isBoundaryFull(boundary: number): boolean {
  return boundary >= boundaryMax;
}

/** The rates bet on against `boundary`, above it; `undefined` for an arm that sits the block out. */
export function worseRates({ oddsOver, nearlyAll }: WorseArms, boundary: number): (number | undefined)[] {
  if (isBoundaryFull(boundary)) return rollbackWeights.map(() => undefined);
  const odds = boundary / (1 - boundary);
  const rates = [...oddsOver.map((times) => (times * odds) / (1 + times * odds)), nearlyAll];
  return rates.map((rate) => Math.min(rateMax, rate)).map((rate) => (rate > boundary ? rate : undefined));
}

/** The rates bet on against the unacceptable `boundary`, below it; `undefined` for an arm that sits the block out. */
export function betterRates(a: number, boundary: number): (number | undefined)[] {
  if (isBoundaryFull(boundary)) return promotionWeights.map(() => undefined);
  const rates = positions.map((at) => (at < 0 ? a * (1 + at) : a + at * (boundary - a)));
  return rates.map((rate) => Math.min(rateMax, rate)).map((rate) => (rate < boundary ? rate : undefined));
}

/** What a block is bet with: the live rate `a` expected before it, and the design effect `kappa`. */
export type Stake = { readonly a: number; readonly kappa: number; readonly line: Line };

/** Nats won by each rollback arm, tempered and not yet capped. */
export function worseGains(arms: WorseArms, block: Block, { a, kappa, line }: Stake): number[] {
  return worseRates(arms, lineAt(line, a)).map((q) => (q === undefined ? 0 : logBet(block, { a, q, line }) / kappa));
}

/** Nats won by each promotion arm, tempered. */
export function betterGains(block: Block, { a, kappa, line }: Stake): number[] {
  return betterRates(a, lineAt(line, a)).map((q) => (q === undefined ? 0 : logBet(block, { a, q, line }) / kappa));
}
