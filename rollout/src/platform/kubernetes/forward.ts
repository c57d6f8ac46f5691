import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type KubeConfig, PortForward } from '@kubernetes/client-node';

export type PodPort = { readonly namespace: string; readonly pod: string; readonly port: number };

/**
 * Opens a port on this machine whose first connection leads to a pod's, through the API server, as long as it lasts; nobody else is let
 * in. What goes wrong on the way ends the connection. Needs the right to `pods/portforward`.
 */
export async function forwardOnce(config: KubeConfig, target: PodPort): Promise<number> {
  const server = createServer((socket) => {
    server.close();
    socket.on('error', () => socket.destroy()); // Whoever is connected sees it closed.
    join(config, target, socket).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function join(config: KubeConfig, { namespace, pod, port }: PodPort, socket: Socket): Promise<void> {
  const way = await new PortForward(config).portForward(namespace, pod, [port], socket, null, socket);
  if (!('on' in way)) throw new Error('the API server did not answer with a connection');
  way.on('close', () => socket.destroy());
  way.on('error', () => socket.destroy());
  socket.on('close', () => way.close());
}
