/**
 * Whether nobody is on the way to a lane without weight any more: what counts its requests stands still. That a replica has the route, its
 * mark says; this is for what it took in under the one before.
 */
import { withDeadline } from '../../deadline.ts';
import { lanes } from '../../lane.ts';
import type { Weighted } from '../../metrics/counts.ts';
import { closedLanes, type ProxiesOf, watchClosing } from '../closed.ts';
import type { Replica } from '../replicas.ts';
import { closedAfterMs, watchStandstill } from '../standstill.ts';
import type { RouteRead } from './route.ts';

export type ClosedBy =
  /** Requests that a replica has counted for each lane by weight, in its own counters' text. */
  | { readonly kind: 'replicas'; readonly requestsIn: (counters: string) => Weighted }
  /** For a gateway whose counters nobody here can read. They tell no pinned request from a weighted one. */
  | { readonly kind: 'proxies'; readonly proxiesOf: ProxiesOf };

/** Why the lanes without weight do not count as closed yet, or `undefined`. Remembers what was counted at the looks before. */
type WhyOpen = (read: RouteRead, replicas: readonly Replica[], signal: AbortSignal) => Promise<string | undefined>;

export function watchClosed(closedBy: ClosedBy): WhyOpen {
  switch (closedBy.kind) {
    case 'replicas':
      return byReplicas(closedBy.requestsIn);
    case 'proxies': {
      const closing = watchClosing(closedBy.proxiesOf);
      return (read, _, signal) =>
        closing.whyOpen(read.kind === 'read' ? closedLanes(read.weights, read.pins) : [], signal);
    }
  }
}

const countersMaxMs = 1_000;

function byReplicas(requestsIn: (counters: string) => Weighted): WhyOpen {
  const standstill = watchStandstill();
  return async (read, replicas, signal) => {
    const looks = await Promise.all(replicas.map((replica) => lookAt(replica, requestsIn, signal)));
    const still = standstill.stillMs(closedCounters(read, looks), performance.now());
    for (const { name, counted } of looks) {
      if (typeof counted === 'string') return `replica ${name} of the gateway does not answer: ${counted}`;
      // Of what is counted nowhere nobody can say that it stands still.
      if (counted.kind === 'strange') return `replica ${name} of the gateway cannot be counted: ${counted.why}`;
    }
    return still < closedAfterMs ? 'a lane without weight was counted a request less than 2 s ago' : undefined;
  };
}

/** `counted` is a text: why it did not tell. */
type Look = { readonly name: string; readonly counted: Weighted | string };

async function lookAt(
  { name, counters }: Replica,
  requestsIn: (counters: string) => Weighted,
  signal: AbortSignal,
): Promise<Look> {
  try {
    return { name, counted: requestsIn(await counters(withDeadline(signal, countersMaxMs))) };
  } catch (error) {
    return { name, counted: String(error) };
  }
}

/** Counters that must not move: of each lane without weight, in each replica. */
function closedCounters(read: RouteRead, looks: readonly Look[]): ReadonlyMap<string, number> {
  const closed = lanes.filter((lane) => read.kind === 'read' && read.weights[lane] === 0);
  return new Map(
    looks.flatMap(({ name, counted }) =>
      typeof counted !== 'string' && counted.kind === 'counted'
        ? closed.map((lane): [string, number] => [`${name} ${lane}`, counted.requests[lane]])
        : [],
    ),
  );
}
