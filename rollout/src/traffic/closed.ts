/**
 * Whether nobody is on the way to a lane without weight any more: what its own proxies have answered stands still. Controllers count in
 * ways of their own or not at all; the proxies are asked for the evidence too.
 */
import { withDeadline } from '../deadline.ts';
import { type Lane, lanes, type Pin, type Weights } from '../lane.ts';
import { closedAfterMs, watchStandstill } from './standstill.ts';

/** One instance of what answers a lane's users. */
export type LaneProxy = {
  readonly name: string;
  /** It is sent requests. */
  readonly isReady: boolean;
  /** Rejects when it does not tell. */
  requests(signal: AbortSignal): Promise<Requests>;
};

/** Requests that a proxy has answered since its start, and those that it is at. */
export type Requests = { readonly answered: number; readonly inFlight: number };

export type ProxiesOf = (lane: Lane, signal: AbortSignal) => Promise<readonly LaneProxy[]>;

const proxyMaxMs = 1_000;

/** Lanes that nobody leads to. A pin leads to its lane whatever the weight, and the lane's proxies do not know why a request came. */
export function closedLanes(weights: Weights, pins: readonly Pin[]): readonly Lane[] {
  return lanes.filter((lane) => weights[lane] === 0 && !pins.some((pin) => pin.lane === lane));
}

/** Remembers what was counted at the looks before. `nowMs` is a monotonic clock. */
export interface Closing {
  /** Why these lanes do not count as closed yet, or `undefined`. */
  whyOpen(closed: readonly Lane[], signal: AbortSignal): Promise<string | undefined>;
}

export function watchClosing(proxiesOf: ProxiesOf, nowMs: () => number = () => performance.now()): Closing {
  const standstill = watchStandstill();
  let asked: ReadonlySet<string> = new Set();
  return {
    async whyOpen(closed, signal) {
      const found = await Promise.all(closed.map((lane) => proxiesOf(lane, signal)));
      const looks = await Promise.all(found.flat().map((proxy) => lookAt(proxy, signal)));
      signal.throwIfAborted();
      const counters = countersIn(looks, asked);
      asked = new Set(counters.keys());
      const still = standstill.stillMs(counters, nowMs());
      // A broken candidate must not keep its own rollback waiting: what is not ready is sent nothing.
      const silent = looks.find(({ proxy, requests }) => proxy.isReady && requests === undefined);
      if (silent !== undefined) return `proxy ${silent.proxy.name} does not tell its requests: ${silent.failure}`;
      return still < closedAfterMs ? 'a lane without weight has answered a request less than 2 s ago' : undefined;
    },
  };
}

type Look = {
  readonly proxy: LaneProxy;
  readonly requests: Requests | undefined;
  readonly failure: string;
};

async function lookAt(proxy: LaneProxy, signal: AbortSignal): Promise<Look> {
  try {
    return { proxy, requests: await proxy.requests(withDeadline(signal, proxyMaxMs)), failure: '' };
  } catch (error) {
    return { proxy, requests: undefined, failure: String(error) };
  }
}

/** One that nobody has asked anything since its start is as still as can be, unless it had something to answer before that. */
function countersIn(looks: readonly Look[], asked: ReadonlySet<string>): ReadonlyMap<string, number> {
  return new Map(
    looks.flatMap(({ proxy: { name }, requests }): [string, number][] =>
      requests === undefined || (isFresh(requests) && !asked.has(name)) ? [] : [[name, requests.answered]],
    ),
  );
}

function isFresh({ answered, inFlight }: Requests): boolean {
  return answered === 0 && inFlight === 0;
}
