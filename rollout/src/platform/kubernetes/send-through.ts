import { withDeadline } from '../../deadline.ts';
import type { KubernetesSpec } from '../../spec.ts';
import { hostHeader } from '../../traffic/host-header.ts';
import type { HttpRoute } from '../../traffic/http-route.ts';
import { type Ingress, lanesRule } from '../../traffic/ingress-nginx/pair.ts';
import { findReplicas, type Replica, type ReplicaPlace } from '../../traffic/replicas.ts';
import type { RouterRequest } from '../../traffic/traffic.ts';
import type { ProbeAnswer } from '../../workload/workload.ts';
import { answerIn, answerMaxMs } from '../ask.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { kinds } from './kinds.ts';

type Through = {
  readonly app: string;
  readonly kubernetes: KubernetesSpec;
  readonly client: KubeClient;
  readonly way: ReplicaPlace['way'];
};

/** Where requests go in: one replica of the router, and the host of the route. */
type Entrance = { readonly replica: Replica | undefined; readonly host: string | undefined };

/** A comparison sends hundreds of requests in this time; where they go in changes seldom. */
const knownMs = 1_000;

/** What sends through one replica of the router, as a user's request for a host of the route. Where that is, it asks no more than once a second. */
export function openSender(through: Through): (asked: RouterRequest, signal: AbortSignal) => Promise<ProbeAnswer> {
  let known: { readonly at: number; readonly entrance: Promise<Entrance> } | undefined;
  return async (asked, signal) => {
    const now = performance.now();
    if (known === undefined || now - known.at >= knownMs) known = { at: now, entrance: findEntrance(through, signal) };
    const mine = known;
    const forget = () => {
      if (known === mine) known = undefined;
    };
    try {
      const answer = await sendBy(await mine.entrance, asked, signal);
      if (answer.kind === 'unanswered') forget();
      return answer;
    } catch (error) {
      forget();
      throw error;
    }
  };
}

async function sendBy(
  { replica, host }: Entrance,
  { path, headers }: RouterRequest,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  if (replica === undefined) return { kind: 'unanswered', why: 'no replica of the router was found' };
  const within = withDeadline(signal, answerMaxMs);
  return replica
    .open({ path, headers: { ...headers, ...hostHeader(host) } }, within)
    .then(answerIn, (error: Error) => ({ kind: 'unanswered', why: error.message }));
}

async function findEntrance(through: Through, signal: AbortSignal): Promise<Entrance> {
  const { client, kubernetes, way } = through;
  const { namespace, service, listener, metrics } = kubernetes.traffic.replicas;
  const place = { client: client.in(namespace), service, ports: { listener, metrics }, way };
  const [[replica], host] = await Promise.all([findReplicas(place, signal), hostOf(through, signal)]);
  return { replica, host };
}

async function hostOf({ app, kubernetes, client }: Through, signal: AbortSignal): Promise<string | undefined> {
  const { kind, route } = kubernetes.traffic;
  const near = client.in(kubernetes.namespace);
  switch (kind) {
    case 'gateway-api':
      return (await near.get<KubeObject & HttpRoute>(kinds.HTTPRoute, route, signal))?.spec.hostnames?.[0];
    case 'ingress-nginx': {
      const main = await near.get<KubeObject & Ingress>(kinds.Ingress, route, signal);
      return main && lanesRule(main.spec, app)?.host;
    }
  }
}
