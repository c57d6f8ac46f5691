/** The words that every room shares: lanes, the weights between them, and time. */
import type { Marker } from './pin.ts';

/** A lane is the full vertical slice of one revision. Both exist for ever; a role is what a lane plays now. */
export type Lane = 'blue' | 'green';

export const lanes = ['blue', 'green'] as const satisfies readonly Lane[];

/** The first release goes into it; so what ran before Headgate is this lane. */
export const firstLane: Lane = 'blue';

export function otherLane(lane: Lane): Lane {
  return lane === 'blue' ? 'green' : 'blue';
}

/** One value for each lane. */
export type PerLane<T> = { readonly [lane in Lane]: T };

/** Asks for both lanes at once. */
export async function perLane<T>(ask: (lane: Lane) => Promise<T>): Promise<PerLane<T>> {
  const [blue, green] = await Promise.all([ask('blue'), ask('green')]);
  return { blue, green };
}

declare const unit: unique symbol;

/** Whole percent of traffic, 0 to 100. */
export type Percent = number & { readonly [unit]: 'percent' };

/** @throws {RangeError} if `value` is no whole number from 0 to 100 */
export function percent(value: number): Percent {
  if (!Number.isInteger(value) || value < 0 || value > 100) {
    throw new RangeError(`Cannot use ${value} as a traffic share as it must be a whole number from 0 to 100`);
  }
  return value as Percent; // The check above is the proof.
}

/** Milliseconds since the epoch. Clock readings are arguments; pure rooms never ask for one. */
export type Instant = number & { readonly [unit]: 'instant' };

/** @throws {RangeError} if `ms` is no finite number */
export function instant(ms: number): Instant {
  if (!Number.isFinite(ms)) throw new RangeError(`Cannot use ${ms} as an instant as it must be finite`);
  return ms as Instant; // The check above is the proof.
}

/** Whole percent of HTTP traffic per lane. They add up to 100, or are both 0 before the first release. */
export type Weights = PerLane<Percent>;

/** Before the first release: the route answers 503. */
export const closedWeights: Weights = { blue: percent(0), green: percent(0) };

/** `share` percent to `lane`, the rest to the other one. */
export function weightsFor(lane: Lane, share: Percent): Weights {
  const rest = percent(100 - share);
  return lane === 'blue' ? { blue: share, green: rest } : { blue: rest, green: share };
}

export function sameWeights(a: Weights, b: Weights): boolean {
  return a.blue === b.blue && a.green === b.green;
}

/** Sends marked requests to a lane whatever the weights. Roles become lanes in the policy, so a pin names a lane here. */
export type Pin = Marker & { readonly lane: Lane };
