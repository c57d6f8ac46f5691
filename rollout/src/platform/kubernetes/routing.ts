import type { Lane } from '../../lane.ts';
import { weightedIn } from '../../metrics/counts.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { findPods } from '../../metrics/pods.ts';
import { proxyCounts, requestsIn } from '../../metrics/proxies.ts';
import { openScrapedMetrics } from '../../metrics/scrape.ts';
import { gatewayPlaces, traefikAlways, traefikCounts } from '../../metrics/traefik.ts';
import type { KubernetesSpec } from '../../spec.ts';
import type { LaneProxy } from '../../traffic/closed.ts';
import { openGatewayApiTraffic } from '../../traffic/gateway-api.ts';
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
  /** The pods that count, as in `kubectl -l`, and the port of their `/metrics`: asked where the router's counters are not known, or tell no lanes apart. */
  readonly proxies: { readonly labels: string; readonly port: number };
};

/** The two ports of the data plane, of the kind that headgate.yaml names. */
export function openRouting(target: RoutingTarget): { readonly traffic: TrafficRouter; readonly metrics: Metrics } {
  const { app, kubernetes, fence } = target;
  const client = target.client.in(kubernetes.namespace);
  const services = laneServices(app);
  const { kind, route } = kubernetes.traffic;
  const names = { app, services };
  const proxiesOf = (lane: Lane, signal: AbortSignal) => laneProxies(target, lane, signal);
  const replicas = (signal: AbortSignal) => findReplicas(placeOf(target), signal);
  // A weight is confirmed by the replicas that there are; counts may come from those that there were a moment ago.
  const counting = { ...target, client: remembering(target.client) };
  switch (kind) {
    case 'gateway-api': {
      if (kubernetes.traffic.replicas.metrics === undefined) {
        const closedBy = { kind: 'proxies', proxiesOf } as const;
        return {
          traffic: openGatewayApiTraffic({ client, route, names, fence, replicas, closedBy }),
          metrics: proxyMetrics(counting),
        };
      }
      const countsIn = traefikCounts(gatewayPlaces({ namespace: client.namespace, route }, services));
      const closedBy = { kind: 'replicas', requestsIn: weightedIn(countsIn, traefikAlways) } as const;
      return {
        traffic: openGatewayApiTraffic({ client, route, names, fence, replicas, closedBy }),
        metrics: openScrapedMetrics({
          what: 'the replicas of the gateway',
          sources: (signal) => findReplicas(placeOf(counting), signal),
          countsIn,
          always: traefikAlways,
        }),
      };
    }
    case 'ingress-nginx': {
      const pair = { main: route, canary: `${route}-canary`, names: { ...names, closed: `${app}-closed` } };
      return {
        traffic: openIngressNginxTraffic({ client, ...pair, fence, replicas, proxiesOf }),
        // Pins ride on the canary: the controller counts them with its share.
        metrics: proxyMetrics(counting),
      };
    }
  }
}

/** All that reaches the lanes' proxies, by weight and by pin alike. */
function proxyMetrics({ app, client, kubernetes, proxies, way }: RoutingTarget): Metrics {
  const place = { client: client.in(kubernetes.namespace), ...proxies, way };
  return openScrapedMetrics({
    what: `the proxies of ${app}`,
    sources: (signal) => findPods(place, signal),
    countsIn: proxyCounts(app),
    always: undefined,
  });
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
