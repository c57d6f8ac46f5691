import type { Lane } from '../../lane.ts';
import { weightedIn } from '../../metrics/counts.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { findPods } from '../../metrics/pods.ts';
import { proxyCounts, requestsIn } from '../../metrics/proxies.ts';
import { openScrapedMetrics } from '../../metrics/scrape.ts';
import { gatewayPlaces, traefikAlways, traefikCounts } from '../../metrics/traefik.ts';
import type { KubernetesSpec } from '../../spec.ts';
import { openGatewayApiTraffic } from '../../traffic/gateway-api.ts';
import type { LaneProxy } from '../../traffic/ingress-nginx/closed.ts';
import { openIngressNginxTraffic } from '../../traffic/ingress-nginx.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import { findReplicas, type ReplicaPlace } from '../../traffic/replicas.ts';
import type { TrafficRouter } from '../../traffic/traffic.ts';
import type { KubeClient } from './client.ts';
import { marks } from './lane-names.ts';
import { remembering } from './remembering.ts';

export type RoutingTarget = {
  readonly app: string;
  readonly kubernetes: KubernetesSpec;
  readonly client: KubeClient;
  /** Of whoever drives now. */
  readonly fence: () => number;
  /** How replicas and pods are asked: `direct` inside of the cluster, else `proxy`. */
  readonly way: ReplicaPlace['way'];
  /** The pods that count, as in `kubectl -l`, and the port of their `/metrics`: asked where the router's counters cannot tell lanes apart. */
  readonly proxies: { readonly labels: string; readonly port: number };
};

/** The two ports of the data plane, of the kind that headgate.yaml names. */
export function openRouting(target: RoutingTarget): { readonly traffic: TrafficRouter; readonly metrics: Metrics } {
  const { app, kubernetes, fence } = target;
  const client = target.client.in(kubernetes.namespace);
  const services = laneServices(app);
  const { kind, route } = kubernetes.traffic;
  const replicas = (signal: AbortSignal) => findReplicas(placeOf(target), signal);
  // A weight is confirmed by the replicas that there are; counts may come from those that there were a moment ago.
  const counting = { ...target, client: remembering(target.client) };
  switch (kind) {
    case 'gateway-api': {
      const countsIn = traefikCounts(gatewayPlaces({ namespace: client.namespace, route }, services));
      const requestsIn = weightedIn(countsIn, traefikAlways);
      return {
        traffic: openGatewayApiTraffic({ client, route, names: { app, services }, fence, replicas, requestsIn }),
        metrics: openScrapedMetrics({
          what: 'the replicas of the gateway',
          sources: (signal) => findReplicas(placeOf(counting), signal),
          countsIn,
          always: traefikAlways,
        }),
      };
    }
    case 'ingress-nginx': {
      // Pins ride on the canary: the controller counts them with its share, and the lanes' proxies with all that reaches them.
      const sources = (signal: AbortSignal) =>
        findPods({ client: counting.client.in(kubernetes.namespace), ...target.proxies, way: target.way }, signal);
      const names = { app, services, closed: `${app}-closed` };
      const proxiesOf = (lane: Lane, signal: AbortSignal) => laneProxies(target, lane, signal);
      const pair = { main: route, canary: `${route}-canary`, names };
      return {
        traffic: openIngressNginxTraffic({ client, ...pair, fence, replicas, proxiesOf }),
        metrics: openScrapedMetrics({
          what: `the proxies of ${app}`,
          sources,
          countsIn: proxyCounts(app),
          always: undefined,
        }),
      };
    }
  }
}

async function laneProxies(
  { kubernetes, client, way, proxies }: RoutingTarget,
  lane: Lane,
  signal: AbortSignal,
): Promise<readonly LaneProxy[]> {
  const labels = `${proxies.labels},${marks.lane}=${lane}`;
  const pods = await findPods({ client: client.in(kubernetes.namespace), labels, port: proxies.port, way }, signal);
  return pods.map(({ name, isReady, counters }) => ({
    name,
    isReady,
    requests: async (within) => requestsIn(await counters(within)),
  }));
}

function placeOf({ client, kubernetes, way }: RoutingTarget): ReplicaPlace {
  const { namespace, service, listener, metrics } = kubernetes.traffic.replicas;
  return { client: client.in(namespace), service, ports: { listener, metrics }, way };
}
