import { setTimeout as sleep } from 'node:timers/promises';
import type { Pin, Weights } from '../lane.ts';
import { weightedIn } from '../metrics/counts.ts';
import { gatewayPlaces, traefikAlways, traefikCounts } from '../metrics/traefik.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { findAccess } from '../platform/kubernetes/find-access.ts';
import { kinds, pathOf } from '../platform/kubernetes/kinds.ts';
import { openTransport } from '../platform/kubernetes/transport.ts';
import { type GatewayRig, gatewayPorts } from './gateway.rig.ts';
import { type NewRoute, newRoute } from './gateway-api/new-route.ts';
import { markIn, markOf, markPath } from './gateway-api/own-rules.ts';
import type { GatewayApiTarget } from './gateway-api.ts';
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
    closedBy: {
      kind: 'replicas',
      requestsIn: weightedIn(
        traefikCounts(gatewayPlaces({ namespace: client.namespace, route: app }, services)),
        traefikAlways,
      ),
    },
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

/** A merge patch in somebody else's name. */
export async function writeRouteAs(
  manager: string,
  { client, app }: Pick<GatewayRig, 'client' | 'app'>,
  change: object,
): Promise<void> {
  using transport = openTransport(findAccess({ kubeconfig: testCluster().kubeconfig }, process.env));
  const reply = await transport.send(
    {
      method: 'PATCH',
      path: `${pathOf(kinds.HTTPRoute, client.namespace, app)}?fieldManager=${manager}`,
      doing: 'patch',
      body: { type: 'application/merge-patch+json', text: JSON.stringify(change) },
    },
    AbortSignal.timeout(10_000),
  );
  if (reply.status !== 200) throw new Error(`the route is not written: ${reply.status} ${reply.text}`);
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
