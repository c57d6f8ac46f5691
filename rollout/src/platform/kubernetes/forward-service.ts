import { connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { listenHere } from '../../listen.ts';
import { portIn, slicesOf } from '../../traffic/replicas.ts';
import type { KubeClient } from './client.ts';

/** `name` is that of the Service's port, `localPort` the one to listen on; 0 for any. */
export type Forwarding = { readonly service: string; readonly name: string; readonly localPort: number };

const lookMaxMs = 10_000;

/**
 * Listens on this machine and leads every connection to a pod that is ready then, through the API server. So what breaks when a pod goes
 * is one connection; the next one has another pod. An endpoint that is no pod stands outside of the cluster, and is taken at its address.
 * @throws {HeadgateError} `USAGE` if the port is taken, `CLUSTER_UNREACHABLE`, `CLUSTER_REFUSED`
 */
export async function forwardService(
  client: KubeClient,
  forwarding: Forwarding,
): Promise<AsyncDisposable & { readonly port: number }> {
  await findReady(client, forwarding); // Who may not look, or cannot, is told so; later it is a connection that ends.
  const sockets = new Set<Socket>();
  let turn = 0;
  const join = async (socket: Socket) => {
    const ready = await findReady(client, forwarding);
    const end = ready[turn++ % ready.length];
    if (end === undefined) throw new Error('nobody is ready');
    const way = connect(
      end.pod === undefined ? end : { host: '127.0.0.1', port: await client.forward(end.pod, end.port) },
    );
    pipeline(socket, way, socket, () => way.destroy()); // Either end that goes takes the other one along.
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    join(socket).catch(() => socket.destroy()); // Whoever is connected sees it closed, and connects again.
  });
  const port = await listenHere(server, forwarding.localPort);
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

type End = { readonly host: string; readonly port: number; readonly pod: string | undefined };

async function findReady(client: KubeClient, { service, name }: Forwarding): Promise<readonly End[]> {
  const slices = await slicesOf(client, service, AbortSignal.timeout(lookMaxMs));
  return slices.flatMap((slice) => {
    const port = portIn(slice, name);
    return (slice.endpoints ?? []).flatMap(({ addresses: [host], conditions, targetRef }) => {
      if (host === undefined || port === undefined || conditions?.ready === false) return [];
      return [{ host, port, pod: targetRef?.kind === 'Pod' ? targetRef.name : undefined }];
    });
  });
}
