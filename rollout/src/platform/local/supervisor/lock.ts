import { createServer, type Server } from 'node:net';
import { hasCode } from '../../../journal/files.ts';

/** Held by the one supervisor of a state folder until it is closed, or its process ends. `undefined` if another one holds it. */
export function takeLock(name: string): Promise<AsyncDisposable | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => (hasCode(error, 'EADDRINUSE') ? resolve(undefined) : reject(error)));
    server.listen(name, () => {
      server.unref();
      resolve({ [Symbol.asyncDispose]: () => closed(server) });
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
