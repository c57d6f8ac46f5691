import { setTimeout as sleep } from 'node:timers/promises';
import type { Pin, Weights } from '../lane.ts';
import { weightedIn } from '../metrics/counts.ts';
import { gatewayPlaces, traefikCounts } from '../metrics/traefik.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { type GatewayRig, gatewayPorts } from './gateway.rig.ts';
import type { GatewayApiTarget } from './gateway-api.ts';
import { type NewRoute, newRoute } from './gateway-api-new-route.ts';
import { markIn, markOf, markPath } from './gateway-api-own-rules.ts';
import { laneServices } from './lane-services.ts';
import { findReplicas, type Replica } from './replicas.ts';

export function targetOf(rig: GatewayRig, fence = 0): GatewayApiTarget {
  const { client, app } = rig;
  const services = laneServices(app);
  return {
    client,
    route: app,
    names: { app, services },
    fence: () => fence,
    replicas: (within) =>
      findReplicas({ client: client.in('gateway'), service: 'traefik', ports: gatewayPorts, way: 'direct' }, within),
    requestsIn: weightedIn(traefikCounts(gatewayPlaces({ namespace: client.namespace, route: app }, services))),
  };
}

/** Headgate's own route, closed. */
export async function makeGatewayRoute(rig: GatewayRig, changed: Partial<NewRoute> = {}): Promise<void> {
  const { client, app, host } = rig;
  const wanted: NewRoute = {
    namespace: client.namespace,
    name: app,
    parentRefs: [{ name: 'main', namespace: 'gateway' }],
    hostnames: [host],
    paths: ['/'],
    port: 80,
    mark: true,
    ...changed,
  };
  const made = await client.create(
    kinds.HTTPRoute,
    newRoute(wanted, { app, services: laneServices(app) }),
    AbortSignal.timeout(10_000),
  );
  if (made.kind !== 'written') throw new Error(`the route is not written: ${made.kind}`);
}

/** Waits until this replica has these weights and pins; no lane hears of it. */
export async function shown(
  replica: Replica,
  { app, host }: GatewayRig,
  split: { readonly weights: Weights; readonly pins: readonly Pin[] },
): Promise<void> {
  for (const within = AbortSignal.timeout(10_000); ; await sleep(10, undefined, { signal: within })) {
    const answer = await replica.get({ path: markPath(app), headers: { host } }, within);
    if (markIn(answer.headers.location) === markOf(split)) return;
  }
}
