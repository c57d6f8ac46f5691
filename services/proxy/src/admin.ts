import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';
import { type Health, readiness } from './readiness.ts';

const usage = 'one of /healthz, /readyz, /metrics, and POST /connections/close?olderThanMs=<whole number>\n';

/** `/healthz`, `/readyz`, `/metrics`, and what ends connections, on a port of their own that no gateway routes to. */
export class AdminServer {
  readonly #server: Server;

  constructor(health: () => Health, metrics: Metrics, closeConnections: (olderThanMs: number) => void) {
    this.#server = createServer(async ({ method, url = '' }, response) => {
      const [, olderThanMs] = /^\/connections\/close\?olderThanMs=(\d{1,12})$/.exec(url) ?? [];
      if (method === 'POST' && olderThanMs !== undefined) {
        closeConnections(Number(olderThanMs));
        return send(response, 200, 'ok\n');
      }
      switch (url) {
        case '/healthz':
          return send(response, 200, 'ok\n');
        case '/readyz': {
          const { ready, why } = readiness(health());
          return send(response, ready ? 200 : 503, `${why}\n`);
        }
        case '/metrics':
          return send(response, 200, await metrics.exposition(), 'text/plain; version=0.0.4; charset=utf-8');
        default:
          return send(response, 404, usage);
      }
    });
  }

  /** The port it listens on, which is a free one for 0. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port; // Not a pipe: `listen` was given a port.
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function send(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'Content-Type': type }).end(text);
}
