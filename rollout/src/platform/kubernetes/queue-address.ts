import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeadgateError } from '../../errors.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { kinds } from './kinds.ts';

type Service = KubeObject & { readonly spec?: { readonly clusterIP?: string } };

const connectMaxMs = 1_500;
/** The nodes learn of a Service some time after the API server does. */
const reachMaxMs = 10_000;
const pauseMs = 250;

/**
 * Where this process reaches the app's NATS: by its name inside the cluster, by its Service's address from a machine that is routed to
 * the service network. @throws {HeadgateError} `QUEUE_UNREACHABLE` from anywhere else
 */
export async function queueAddress(url: string, client: KubeClient): Promise<string> {
  const signal = AbortSignal.timeout(2 * reachMaxMs); // Of a call that hangs; the loop ends before.
  const address = new URL(url);
  const port = Number(address.port || 4222);
  const [name = '', namespace = client.namespace] = address.hostname.split('.');
  for (
    const end = performance.now() + reachMaxMs;
    performance.now() < end;
    await sleep(pauseMs, undefined, { signal })
  ) {
    if (await answers(address.hostname, port)) return url;
    const service = await client.in(namespace).get<Service>(kinds.Service, name, signal);
    const ip = service?.spec?.clusterIP;
    if (ip === undefined || ip === 'None' || !(await answers(ip, port))) continue;
    address.hostname = ip;
    return address.toString().replace(/\/$/, '');
  }
  throw new HeadgateError(
    'QUEUE_UNREACHABLE',
    `Cannot reach NATS from here as neither its name nor its Service's address answers: current value is "${url}"`,
    {
      hint: `use driver: controller, or run \`kubectl port-forward -n ${namespace} service/${name} ${port}\` and an environment with that address`,
    },
  );
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
