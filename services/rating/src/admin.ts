import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';
import type { readiness } from './readiness.ts';

export type AdminOptions = {
  readonly host: string;
  readonly port: number;
  readonly ready: () => ReturnType<typeof readiness>;
  readonly metrics: Metrics;
};

/** `/healthz`: the process runs. `/readyz`: it can do its work, or why not. `/metrics`: its counts. */
export async function openAdmin({ host, port, ready, metrics }: AdminOptions): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    answer(request.url ?? '/', response).catch((error: unknown) => plain(response, 500, String(error)));
  });
  async function answer(url: string, response: ServerResponse): Promise<void> {
    switch (url) {
      case '/healthz':
        return plain(response, 200, 'ok');
      case '/readyz': {
        const { ready: isReady, why } = ready();
        return plain(response, isReady ? 200 : 503, why);
      }
      case '/metrics':
        response.setHeader('content-type', metrics.contentType);
        response.end(await metrics.text());
        return;
      default:
        plain(response, 404, 'there are /healthz, /readyz and /metrics');
    }
  }
  server.listen(port, host);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
