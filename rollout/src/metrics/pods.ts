import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { type Condition, conditionOf } from '../platform/kubernetes/conditions.ts';
import { kinds, podProxyPath } from '../platform/kubernetes/kinds.ts';
import { countersAt } from '../traffic/replicas.ts';
import type { Source } from './scrape.ts';

/** Where processes of the lanes run, and how their `/metrics` is reached. */
export type PodPlace = {
  /** In the pods' namespace. */
  readonly client: KubeClient;
  /** As in `kubectl -l`. */
  readonly labels: string;
  readonly port: number;
  /** `direct`: at their own addresses, from inside the cluster. `proxy`: through the API server, which needs the right to get `pods/proxy`. */
  readonly way: 'direct' | 'proxy';
};

export type Pod = KubeObject & {
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly { readonly restartCount?: number }[];
  };
};

/** `isReady`: its Services send it requests. */
type PodSource = Source & { readonly isReady: boolean };

/** All pods that run, ready or not: a proxy that is not ready still counts what it answers. */
export async function findPods(place: PodPlace, signal: AbortSignal): Promise<readonly PodSource[]> {
  const pods = await listPods(place, signal);
  return pods.map((pod) => ({
    name: pod.metadata.name,
    isReady: conditionOf(pod.status?.conditions, 'Ready')?.status === 'True',
    counters: (within) => textOf(pod, place, within),
  }));
}

/** Those that have an address and have not ended. */
export async function listPods({ client, labels }: PodPlace, signal: AbortSignal): Promise<readonly Pod[]> {
  const { items } = await client.list<Pod>(kinds.Pod, { labels }, signal);
  return items.filter(({ status = {} }) => status.phase === 'Running' && status.podIP !== undefined);
}

/** The pod's own page of counters. Rejects for any answer but 200. */
export async function textOf(
  { metadata: { name }, status = {} }: Pod,
  { client, port, way }: PodPlace,
  signal: AbortSignal,
): Promise<string> {
  const address = status.podIP ?? '';
  if (way === 'direct') {
    const host = address.includes(':') ? `[${address}]` : address;
    return countersAt(`http://${host}:${port}/metrics`, signal);
  }
  const reply = await client.text(`${podProxyPath(client.namespace, name, port)}/metrics`, signal);
  if (reply.status === 200) return reply.text;
  throw new Error(`pod ${name} answers ${reply.status} through the API server: ${reply.text.slice(0, 200)}`);
}
