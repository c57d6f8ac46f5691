import { withDeadline } from '../../deadline.ts';
import type { KubernetesSpec } from '../../spec.ts';
import { hostHeader } from '../../traffic/host-header.ts';
import type { HttpRoute } from '../../traffic/http-route.ts';
import { type Ingress, lanesRule } from '../../traffic/ingress-nginx/pair.ts';
import { findReplicas, type ReplicaPlace } from '../../traffic/replicas.ts';
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

/** Through one replica of the router, as a user's request for a host of the route. */
export async function sendThrough(
  through: Through,
  { path, headers }: RouterRequest,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { client, kubernetes, way } = through;
  const { namespace, service, listener, metrics } = kubernetes.traffic.replicas;
  const place = { client: client.in(namespace), service, ports: { listener, metrics }, way };
  const [[replica], host] = await Promise.all([findReplicas(place, signal), hostOf(through, signal)]);
  if (replica === undefined) return { kind: 'unanswered', why: 'no replica of the router was found' };
  const within = withDeadline(signal, answerMaxMs);
  return replica
    .open({ path, headers: { ...headers, ...hostHeader(host) } }, within)
    .then(answerIn, (error: Error) => ({ kind: 'unanswered', why: error.message }));
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
