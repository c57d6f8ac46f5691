import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { kinds, pathOf } from '../platform/kubernetes/kinds.ts';
import { countersAt } from '../traffic/replicas.ts';
import type { Source } from './scrape.ts';

/** Where the lanes' proxies run, and how their `/metrics` is reached. */
export type PodPlace = {
  /** In the pods' namespace. */
  readonly client: KubeClient;
  /** As in `kubectl -l`. */
  readonly labels: string;
  readonly port: number;
  /** `direct`: at their own addresses, from inside the cluster. `proxy`: through the API server, which needs the right to get `pods/proxy`. */
  readonly way: 'direct' | 'proxy';
};

type Pod = KubeObject & { readonly status?: { readonly phase?: string; readonly podIP?: string } };

/** All pods that run, ready or not: a proxy that is not ready still counts what it answers. */
export async function findPods(place: PodPlace, signal: AbortSignal): Promise<readonly Source[]> {
  const { items } = await place.client.list<Pod>(kinds.Pod, { labels: place.labels }, signal);
  return items.flatMap(({ metadata: { name }, status = {} }) => {
    const { phase, podIP } = status;
    if (phase !== 'Running' || podIP === undefined) return [];
    return [{ name, counters: (within: AbortSignal) => countersOf(name, podIP, place, within) }];
  });
}

async function countersOf(
  name: string,
  address: string,
  { client, port, way }: PodPlace,
  signal: AbortSignal,
): Promise<string> {
  if (way === 'direct') {
    const host = address.includes(':') ? `[${address}]` : address;
    return countersAt(`http://${host}:${port}/metrics`, signal);
  }
  const path = `${pathOf(kinds.Pod, client.namespace, `${name}:${port}`, 'proxy')}/metrics`;
  const { status, text } = await client.text(path, signal);
  if (status !== 200) throw new Error(`pod ${name} answers ${status} through the API server: ${text.slice(0, 200)}`);
  return text;
}
