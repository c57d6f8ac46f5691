/** The replicas of a data plane, each asked by itself: what an object says, and what one replica does, are two things. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { kinds, podProxyPath } from '../platform/kubernetes/kinds.ts';
import type { RouterRequest } from './traffic.ts';

export type ReplicaAnswer = { readonly status: number; readonly headers: IncomingMessage['headers'] };

export interface Replica {
  /** Address, for messages and for telling replicas apart. */
  readonly name: string;
  /** The uid of its pod: the next one may have the same address, as on its node's own network. `undefined` outside of a cluster. */
  readonly pod?: string | undefined;
  /** One request through its listener, as a user would send it; redirects are not followed. Rejects without an answer. The body is the caller's to read. */
  open(asked: RouterRequest, signal: AbortSignal): Promise<IncomingMessage>;
  /** The same, without the body. */
  get(asked: RouterRequest, signal: AbortSignal): Promise<ReplicaAnswer>;
  /** Its counters, as Prometheus text. Rejects without an answer, and where no port of counters is named. */
  counters(signal: AbortSignal): Promise<string>;
}

/** Where the replicas of a data plane are written down: a Service with EndpointSlices, and the names of its ports. */
export type ReplicaPlace = {
  /** In the Service's namespace. */
  readonly client: KubeClient;
  readonly service: string;
  readonly ports: { readonly listener: string; readonly metrics: string | undefined };
  /** `direct`: at their own addresses, from inside the cluster. `proxy`: through the API server, which needs the right to get `pods/proxy`. */
  readonly way: 'direct' | 'proxy';
};

const textMaxBytes = 16 * 1024 * 1024;

/** Those that can have traffic, the ones that are shutting down too. */
export async function findReplicas(place: ReplicaPlace, signal: AbortSignal): Promise<readonly Replica[]> {
  const slices = await slicesOf(place.client, place.service, signal);
  return slices.flatMap((slice) => replicasOf(slice, place));
}

/** Who is behind a Service of the client's namespace. */
export async function slicesOf(
  client: KubeClient,
  service: string,
  signal: AbortSignal,
): Promise<readonly EndpointSlice[]> {
  const labels = `kubernetes.io/service-name=${service}`;
  return (await client.list<EndpointSlice>(kinds.EndpointSlice, { labels }, signal)).items;
}

export function portIn({ ports }: EndpointSlice, name: string): number | undefined {
  return ports?.find((one) => (one.name ?? '') === name)?.port;
}

export type EndpointSlice = KubeObject & {
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[];
  /** `null` where a selector finds nobody. */
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean };
        readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
      }[]
    | null;
};

function replicasOf(slice: EndpointSlice, { client, ports, way }: ReplicaPlace): readonly Replica[] {
  const listener = portIn(slice, ports.listener);
  const metrics = ports.metrics === undefined ? undefined : portIn(slice, ports.metrics);
  if (listener === undefined || (metrics === undefined && ports.metrics !== undefined)) return [];
  const serving = (slice.endpoints ?? []).filter(
    ({ conditions = {} }) => conditions.serving ?? conditions.ready ?? true,
  );
  return serving.flatMap(({ addresses: [address], targetRef }) => {
    if (address === undefined) return [];
    // What is no pod stands outside of the cluster already.
    const pod = way === 'proxy' && targetRef?.kind === 'Pod' ? targetRef.name : undefined;
    const replica =
      pod === undefined
        ? directReplica({ address, listener, metrics })
        : proxiedReplica({ client, pod, listener, metrics });
    return [{ ...replica, pod: targetRef?.uid }];
  });
}

/** A replica that is asked through the API server. */
function proxiedReplica({
  client,
  pod,
  listener,
  metrics,
}: {
  readonly client: KubeClient;
  readonly pod: string;
  readonly listener: number;
  readonly metrics: number | undefined;
}): Replica {
  const at = (port: number, path: string): string => `${podProxyPath(client.namespace, pod, port)}${path}`;
  const open: Replica['open'] = ({ path, headers }, signal) => client.stream(at(listener, path), signal, headers);
  return {
    name: `${client.namespace}/${pod}`,
    open,
    get: async (asked, signal) => withoutBody(await open(asked, signal)),
    async counters(signal) {
      const { status, text } = await client.text(at(named(metrics), '/metrics'), signal);
      if (status !== 200) throw new Error(`pod ${pod} answers ${status} through the API server: ${text.slice(0, 200)}`);
      return text;
    },
  };
}

/** A replica that can be reached at its own address. */
export function directReplica({
  address,
  listener,
  metrics,
}: {
  readonly address: string;
  readonly listener: number;
  readonly metrics: number | undefined;
}): Replica {
  const host = address.includes(':') ? `[${address}]` : address;
  const send: Replica['open'] = ({ path, headers }, signal) =>
    open(`http://${host}:${listener}${path}`, headers, signal);
  return {
    name: `${host}:${listener}`,
    open: send,
    get: async (asked, signal) => withoutBody(await send(asked, signal)),
    counters: async (signal) => countersAt(`http://${host}:${named(metrics)}/metrics`, signal),
  };
}

function named(metrics: number | undefined): number {
  if (metrics === undefined) throw new Error('no port of counters is named');
  return metrics;
}

function withoutBody(answer: IncomingMessage): ReplicaAnswer {
  answer.destroy();
  return { status: answer.statusCode ?? 0, headers: answer.headers };
}

/** Counters as Prometheus text. Rejects for any answer but 200. */
export async function countersAt(url: string, signal: AbortSignal): Promise<string> {
  const answer = await open(url, {}, signal);
  const text = await textOf(answer);
  if (answer.statusCode !== 200) throw new Error(`${url} answers ${answer.statusCode}`);
  return text;
}

async function open(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const outgoing = request(url, { headers: { ...headers }, signal, agent: false });
  outgoing.end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  return answer;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > textMaxBytes) throw new Error(`the counters are longer than ${textMaxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
