import { withDeadline } from '../../deadline.ts';
import { invariant } from '../../errors.ts';
import { openKubernetesJournal } from '../../journal/kubernetes.ts';
import { openPodProcesses } from '../../metrics/pod-processes.ts';
import { openJetStreamQueue } from '../../queue/jetstream.ts';
import type { Spec } from '../../spec.ts';
import type { HttpRoute } from '../../traffic/http-route.ts';
import { findReplicas } from '../../traffic/replicas.ts';
import type { RouterRequest } from '../../traffic/traffic.ts';
import { openKubernetesWorkload } from '../../workload/kubernetes.ts';
import type { ProbeAnswer } from '../../workload/workload.ts';
import { answerIn, answerMaxMs } from '../local/ask.ts';
import type { Platform } from '../platform.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { kinds } from './kinds.ts';
import { adminPortBeside, laneSelector } from './lane-names.ts';
import { queueAddress } from './queue-address.ts';
import { remembering } from './remembering.ts';
import { isRouted } from './routed.ts';
import { openRouting } from './routing.ts';

/**
 * All ports of an app on a cluster; asks nobody anything before it is asked. The client stays the caller's, who closes it. Pods and router
 * are asked at their own addresses from inside of the cluster, and from a machine that `HEADGATE_POD_NETWORK=1` says is routed to it; else
 * through the API server.
 */
export function openKubernetesPlatform(spec: Spec, client: KubeClient, env: NodeJS.ProcessEnv = process.env): Platform {
  const { app, services, queue: queued, kubernetes } = spec;
  invariant(kubernetes !== undefined, `Cannot open ${app} on a cluster as its spec names none`);
  const isDirect = isRouted(env);
  const way = isDirect ? 'direct' : 'proxy';
  const port = adminPortBeside(Object.values(services).find((service) => service.port !== undefined)?.port);
  const existing = queued?.existing;
  let driver = 0;
  const fence = () => driver;
  const proxies = { labels: `headgate.dev/app=${app}`, port };
  const queue =
    queued && openJetStreamQueue({ app, services, existing, url: () => queueAddress(queued.url, client, env) });
  return {
    ...openRouting({ app, kubernetes, client, fence, way, proxies }),
    processes: openPodProcesses({
      app,
      existing,
      client: remembering(client),
      port,
      way,
      labelsOf: (lane) => laneSelector(app, lane),
    }),
    workload: openKubernetesWorkload({
      client,
      app,
      fence,
      existing,
      natsUrl: queued?.url,
      reach: isDirect ? 'pod' : 'api-server',
      release: () => undefined,
    }),
    queue,
    ...openKubernetesJournal(client, app),
    setFence(number) {
      driver = number;
    },
    send: (request, within) => sendThrough(kubernetes, { client, way }, request, within),
    [Symbol.asyncDispose]: async () => queue?.[Symbol.asyncDispose](),
  };
}

/** Through one replica of the router, as a user's request for a host of the route. */
async function sendThrough(
  { traffic }: NonNullable<Spec['kubernetes']>,
  { client, way }: { readonly client: KubeClient; readonly way: 'direct' | 'proxy' },
  { path, headers }: RouterRequest,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { namespace, service, listener, metrics } = traffic.replicas;
  const place = { client: client.in(namespace), service, ports: { listener, metrics }, way };
  const [[replica], object] = await Promise.all([
    findReplicas(place, signal),
    client.get<KubeObject & HttpRoute>(kinds.HTTPRoute, traffic.route, signal),
  ]);
  if (replica === undefined) return { kind: 'unanswered', why: 'no replica of the router was found' };
  const host = object?.spec.hostnames?.[0]?.replace('*', 'headgate');
  const asked = { path, headers: { ...headers, ...(host === undefined ? {} : { host }) } };
  const within = withDeadline(signal, answerMaxMs);
  return replica.open(asked, within).then(answerIn, (error: Error) => ({ kind: 'unanswered', why: error.message }));
}
