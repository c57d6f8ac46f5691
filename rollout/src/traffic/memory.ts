import { closedWeights, type Lane, lanes, type PerLane, type Pin } from '../lane.ts';
import { isCookie } from '../pin.ts';
import type { TrafficRouter } from './traffic.ts';
import { checkSplit } from './weights.ts';

/** A data plane without a network. */
export interface MemoryTraffic extends TrafficRouter {
  /** Where the next request with these headers (names in lower case) goes; `undefined` while both weights are 0. */
  route(headers: Readonly<Record<string, string>>): Lane | undefined;
}

export function openMemoryTraffic(): MemoryTraffic {
  let weights = closedWeights;
  let pins: readonly Pin[] = [];
  let credit: PerLane<number> = { blue: 0, green: 0 };
  return {
    async setWeights(wanted, signal) {
      signal.throwIfAborted();
      checkSplit(wanted);
      weights = wanted;
      credit = { blue: 0, green: 0 };
      return { kind: 'done' };
    },
    async setPins(wanted, signal) {
      signal.throwIfAborted();
      pins = structuredClone(wanted);
      return { kind: 'done' };
    },
    async observe(signal) {
      signal.throwIfAborted();
      return { kind: 'agreed', weights, pins };
    },
    route(headers) {
      const pin = pins.find((one) => fits(one, headers));
      if (pin !== undefined) return pin.lane;
      // Smooth weighted round robin: every lane earns its weight, the richest takes the request and pays for it.
      const earned = { blue: credit.blue + weights.blue, green: credit.green + weights.green };
      const taker = lanes.reduce((a, b) => (earned[b] > earned[a] ? b : a));
      if (weights[taker] === 0) return undefined;
      credit = { ...earned, [taker]: earned[taker] - 100 };
      return taker;
    },
  };
}

function fits({ header, value }: Pin, headers: Readonly<Record<string, string>>): boolean {
  const sent = headers[header.toLowerCase()];
  return isCookie({ header }) ? sent?.split(/;\s*/).includes(value) === true : sent === value;
}
