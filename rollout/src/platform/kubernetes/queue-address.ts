import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeadgateError } from '../../errors.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { type Condition, conditionOf } from './conditions.ts';
import { kinds } from './kinds.ts';
import { isRouted } from './routed.ts';

type Service = KubeObject & {
  readonly spec?: { readonly clusterIP?: string; readonly selector?: Readonly<Record<string, string>> };
};
type Pod = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } };

const connectMaxMs = 1_500;
/** The nodes learn of a Service some time after the API server does. */
const reachMaxMs = 10_000;
const pauseMs = 250;

/**
 * Where this process reaches the app's NATS: by its name inside the cluster, by its Service's address from a machine that is routed to
 * the service network, and from anywhere else by a port that the API server forwards, which holds for one connection.
 * @throws {HeadgateError} `QUEUE_UNREACHABLE`
 */
export async function queueAddress(url: string, client: KubeClient, env = process.env): Promise<string> {
  const signal = AbortSignal.timeout(2 * reachMaxMs); // Of a call that hangs; the loop ends before.
  const address = new URL(url);
  const port = Number(address.port || 4222);
  const [name = '', namespace = client.namespace] = address.hostname.split('.');
  const there = client.in(namespace);
  for (
    const end = performance.now() + reachMaxMs;
    performance.now() < end;
    await sleep(pauseMs, undefined, { signal })
  ) {
    if (await answers(address.hostname, port)) return url;
    const service = await there.get<Service>(kinds.Service, name, signal);
    const found = isRouted(env) ? await byService(service, port) : await byPod(service, { there, port, signal });
    if (found === undefined) continue;
    address.hostname = found.host;
    address.port = String(found.port);
    return address.toString().replace(/\/$/, '');
  }
  throw new HeadgateError(
    'QUEUE_UNREACHABLE',
    `Cannot reach NATS from here as neither its name nor Service "${name}" of namespace ${namespace} leads to it: current value is "${url}"`,
    { hint: `see whether a pod of it is ready: kubectl get endpoints -n ${namespace} ${name}` },
  );
}

type Found = { readonly host: string; readonly port: number };

async function byService(service: Service | undefined, port: number): Promise<Found | undefined> {
  const host = service?.spec?.clusterIP;
  return host !== undefined && host !== 'None' && (await answers(host, port)) ? { host, port } : undefined;
}

/** The Service's port is taken for the pods', as NATS has it. */
async function byPod(
  service: Service | undefined,
  { there, port, signal }: { readonly there: KubeClient; readonly port: number; readonly signal: AbortSignal },
): Promise<Found | undefined> {
  const selector = Object.entries(service?.spec?.selector ?? {});
  if (selector.length === 0) return undefined;
  const labels = selector.map(([key, value]) => `${key}=${value}`).join();
  const { items } = await there.list<Pod>(kinds.Pod, { labels }, signal);
  const pod = items.find(({ status }) => conditionOf(status?.conditions, 'Ready')?.status === 'True');
  return pod && { host: '127.0.0.1', port: await there.forward(pod.metadata.name, port) };
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectMaxMs });
    const end = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
