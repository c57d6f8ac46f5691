import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A real HTTP server that answers each path with what `answer` makes of it: text as it is, all else as JSON. */
export async function startHook(
  answer: (path: string) => unknown,
): Promise<AsyncDisposable & { readonly url: string; readonly address: string }> {
  const server = createServer((request, response) => {
    const body = answer(request.url ?? '/');
    if (body === undefined) response.statusCode = 503;
    response.setHeader('content-type', typeof body === 'string' ? 'text/plain' : 'application/json');
    response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on TCP.
  return {
    url: `http://${address}`,
    address,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
