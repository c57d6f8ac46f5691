import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { HoldReason } from '../policy/phase.ts';
import { type Blindness, makeBlindness } from './blindness.ts';

/** What a controller counts of itself, and whether it lives. */
export type Vitals = {
  /** Apps that are being driven or looked at now. */
  readonly tending: Set<string>;
  /** How many, by app and by the phase that they led to. */
  readonly decisions: Map<string, Map<string, number>>;
  /** Why the release of an app that is tended does not go on, as of its last look; `undefined`: it does. */
  readonly held: Map<string, HoldReason | undefined>;
  failures: number;
  /** Why no news is heard, or `undefined`. */
  blind: string | undefined;
  /** What of the apps that are tended cannot be seen. */
  readonly blindness: Blindness;
};

export function newVitals(): Vitals {
  return {
    tending: new Set(),
    decisions: new Map(),
    held: new Map(),
    failures: 0,
    blind: 'nothing was read yet',
    blindness: makeBlindness(),
  };
}

/**
 * `/healthz`, `/readyz` and `/metrics`. A replica that drives nothing is ready too: it is there to take over. One that hears no news is not:
 * it would take nothing over. It lives all the same, as a new process would hear no more.
 */
export async function openAdmin(port: number, vitals: Vitals): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') response.end('ok\n');
    else if (path === '/readyz')
      response.writeHead(vitals.blind === undefined ? 200 : 503).end(`${vitals.blind ?? 'ok'}\n`);
    else if (path === '/metrics')
      response.setHeader('content-type', 'text/plain; version=0.0.4').end(metricsOf(vitals));
    else response.writeHead(404).end('this port has /healthz, /readyz and /metrics\n');
  });
  server.listen(port);
  await once(server, 'listening');
  return { port: portOf(server), [Symbol.asyncDispose]: () => close(server) };
}

function metricsOf({ tending, decisions, held, failures, blind, blindness }: Vitals): string {
  const lines = [
    '# TYPE headgate_controller_apps_tended gauge',
    `headgate_controller_apps_tended ${tending.size}`,
    '# TYPE headgate_controller_failures_total counter',
    `headgate_controller_failures_total ${failures}`,
    '# TYPE headgate_controller_hears_news gauge',
    `headgate_controller_hears_news ${blind === undefined ? 1 : 0}`,
    '# TYPE headgate_controller_resident_bytes gauge',
    `headgate_controller_resident_bytes ${process.memoryUsage.rss()}`,
    // In seconds, of every part that cannot be seen now.
    '# TYPE headgate_blind_seconds gauge',
    ...blindness
      .at(Date.now())
      .map(({ app, port, blindMs }) => sample('headgate_blind_seconds', { app, port }, blindMs / 1_000)),
    '# TYPE headgate_held gauge',
    ...[...held].flatMap(([app, reason]) => (reason ? [sample('headgate_held', { app, reason }, 1)] : [])),
    '# TYPE headgate_decisions_total counter',
    ...[...decisions].flatMap(([app, phases]) =>
      [...phases].map(([phase, count]) => sample('headgate_decisions_total', { app, phase }, count)),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function sample(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const written = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}{${written.join(',')}} ${value}`;
}

/** As the exposition format wants it: one bad name must not cost Prometheus the page. */
function escaped(text: string): string {
  return text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
