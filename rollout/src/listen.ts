import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { HeadgateError } from './errors.ts';

/** Opens a port of this machine to this machine alone; 0 for any that is free. @throws {HeadgateError} `USAGE` if it is taken */
export async function listenHere(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening').catch((cause: unknown) => {
    throw new HeadgateError('USAGE', `Cannot listen on port ${port} as it must be free: ${String(cause)}`, {
      hint: 'name another one with --port',
      cause,
    });
  });
  return (server.address() as AddressInfo).port; // It listens on TCP.
}
