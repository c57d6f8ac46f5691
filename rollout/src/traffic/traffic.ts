import type { Pin, Weights } from '../lane.ts';

/** What the data plane does at this moment. */
export type TrafficSeen =
  | { readonly kind: 'agreed'; readonly weights: Weights; readonly pins: readonly Pin[] }
  /** Somebody else wrote last: what is asked of the data plane now, and who that was. Never a confirmation. */
  | { readonly kind: 'foreign'; readonly weights: Weights; readonly pins: readonly Pin[]; readonly manager: string }
  /** Replicas of the data plane differ, or none has answered yet: not confirmed. */
  | { readonly kind: 'pending'; readonly why: string };

/** What a router can be asked to do; an adapter that cannot says so as a value. */
export type TrafficDone = { readonly kind: 'done' } | { readonly kind: 'unsupported'; readonly why: string };

/** A GET as a user would send it. */
export type RouterRequest = { readonly path: string; readonly headers: Readonly<Record<string, string>> };

/** Splits HTTP traffic between the two lanes. It knows lanes and no roles: a repeated write stays right after a role swap. */
export interface TrafficRouter {
  /** @throws {HeadgateError} `TRAFFIC_WRITE_REFUSED`, `TRAFFIC_UNREACHABLE` */
  setWeights(weights: Weights, signal: AbortSignal): Promise<TrafficDone>;
  /** Replaces all pins. @throws {HeadgateError} `TRAFFIC_WRITE_REFUSED`, `TRAFFIC_UNREACHABLE` */
  setPins(pins: readonly Pin[], signal: AbortSignal): Promise<TrafficDone>;
  /** Asks every replica of the data plane, not the object we wrote. @throws {HeadgateError} `TRAFFIC_UNREACHABLE` */
  observe(signal: AbortSignal): Promise<TrafficSeen>;
}
