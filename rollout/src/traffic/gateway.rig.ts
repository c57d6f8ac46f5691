/** Two lanes behind the real gateway of the test cluster. Their servers run in the test: requests can be held, counted and broken there. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lane, lanes } from '../lane.ts';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { temporaryNamespace, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import type { Requests } from './closed.ts';
import { laneServices } from './lane-services.ts';
import type { EndpointSlice } from './replicas.ts';

export type Sent = { readonly status: number; readonly lane: string | undefined };

export type SendOptions = {
  /** Number of the replica, or the address of one: 0 unless given. */
  readonly replica?: number | string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
};

export interface GatewayRig extends AsyncDisposable {
  readonly client: KubeClient;
  readonly app: string;
  /** Requests are sent to this host: no two rigs share one. */
  readonly host: string;
  /** Over kept connections; rejects when the connection ends without an answer. */
  send(options?: SendOptions): Promise<Sent>;
  /** Takes the endpoints of a lane away, and waits until every replica of the data plane knows it. */
  stop(lane: Lane): Promise<void>;
  start(lane: Lane): Promise<void>;
  /** Runs this until no replica has read a new configuration meanwhile: then a round of weights begins anew. */
  undisturbed<T>(run: () => Promise<T>): Promise<T>;
  /** Requests that each lane's server has had. */
  readonly had: Record<Lane, number>;
  /** Those that it has answered. */
  readonly answered: Record<Lane, number>;
  /** Lanes whose server answers everything with 500. */
  readonly broken: Set<Lane>;
}

/** As the metrics of a lane's proxy would tell. */
export async function requestsAt(
  { had, answered }: Pick<GatewayRig, 'had' | 'answered'>,
  lane: Lane,
): Promise<Requests> {
  return { answered: answered[lane], inFlight: had[lane] - answered[lane] };
}

/** Replicas of the test cluster's gateway: port `web` for the Gateway API, `nginx` for Ingresses. */
export const gatewayPorts = { listener: 'web', metrics: 'traefik' };
export const ingressPorts = { listener: 'nginx', metrics: 'traefik' };

export async function startGatewayRig(entries: 'gateways' | 'ingresses'): Promise<GatewayRig> {
  const cluster = testCluster();
  const namespace = await temporaryNamespace();
  const { client } = namespace;
  const app = 'ratings';
  const had = { blue: 0, green: 0 };
  const answered = { blue: 0, green: 0 };
  const broken = new Set<Lane>();
  const start = (lane: Lane) => startLane(lane, { had, answered, broken });
  const servers = { blue: await start('blue'), green: await start('green') };
  const names = laneServices(app);
  await makeService(client, `${app}-closed`);
  await setEndpoints(client, `${app}-closed`, 1, false);
  for (const lane of lanes) {
    for (const name of [names.weighted[lane], names.pinned[lane]]) {
      await makeService(client, name);
      await setEndpoints(client, name, portOf(servers[lane]), true);
    }
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const host = `${namespace.name}.test`;
  const set = async (lane: Lane, isUp: boolean): Promise<void> => {
    for (const name of [names.weighted[lane], names.pinned[lane]]) {
      await setEndpoints(client, name, portOf(servers[lane]), isUp);
    }
    await known(cluster.gatewayApis, `http://10.111.0.1:${portOf(servers[lane])}`, isUp);
  };
  return {
    client,
    app,
    host,
    had,
    answered,
    broken,
    send: ({ replica = 0, ...options } = {}) =>
      send(typeof replica === 'string' ? replica : cluster[entries][replica]!, host, agent, options),
    stop: (lane) => set(lane, false),
    start: (lane) => set(lane, true),
    undisturbed: (run) => undisturbed(cluster.gatewayApis, run),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      for (const lane of lanes) {
        servers[lane].closeAllConnections();
        servers[lane].close();
      }
      await namespace[Symbol.asyncDispose]();
    },
  };
}

/** A Service of the gateway's first replica whose metrics port leads to another process, which answers with this page. */
export async function countElsewhere(
  client: KubeClient,
  page: string,
): Promise<AsyncDisposable & { readonly service: string }> {
  const { hostname, port } = new URL(testCluster().gateways[0]!);
  const server = createServer((_, response) => response.end(page));
  server.listen(0, hostname);
  await once(server, 'listening');
  const service = 'elsewhere';
  const slice: EndpointSlice & { readonly addressType: string } = {
    metadata: { name: service, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [
      { name: gatewayPorts.listener, port: Number(port) },
      { name: gatewayPorts.metrics, port: portOf(server) },
    ],
    endpoints: [{ addresses: [hostname], conditions: { ready: true, serving: true } }],
  };
  await client.create(kinds.EndpointSlice, slice, AbortSignal.timeout(10_000));
  return {
    service,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The second replica of the gateway hears nothing new of the API server until it is let go; it serves on. */
export function holdBack(): Disposable {
  const run = JSON.parse(readFileSync(process.env['HEADGATE_KUBE_CLUSTER']!, 'utf8')) as { readonly run: string };
  const pid = Number(readFileSync(`${run.run}/pids/relay`, 'utf8').split(' ')[0]);
  process.kill(pid, 'SIGSTOP');
  return { [Symbol.dispose]: () => void process.kill(pid, 'SIGCONT') };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** On the node's own address. `/503` answers with that status, `/slow/<ms>` after that time, `/close` ends the connection instead. */
async function startLane(
  lane: Lane,
  { had, answered, broken }: Pick<GatewayRig, 'had' | 'answered' | 'broken'>,
): Promise<Server> {
  const server = createServer(async (incoming, response) => {
    had[lane] += 1;
    const [, how, ms] = (incoming.url ?? '').split('/');
    response.setHeader('Headgate-Lane', lane);
    response.once('close', () => {
      answered[lane] += 1;
    });
    if (how === 'close') return void incoming.socket.destroy();
    if (how === 'hang') return;
    if (how === 'slow') await sleep(Number(ms));
    const status = /^\d{3}$/.test(how ?? '') ? Number(how) : 200;
    response.writeHead(broken.has(lane) ? 500 : status).end(lane);
  });
  server.keepAliveTimeout = 60_000; // Longer than the gateway keeps them, or a request may meet a closing connection.
  server.listen(0, '10.111.0.1');
  await once(server, 'listening');
  return server;
}

async function makeService(client: KubeClient, name: string): Promise<void> {
  const service = { metadata: { name }, spec: { ports: [{ name: 'http', port: 80 }] } };
  await client.create<KubeObject>(kinds.Service, service, AbortSignal.timeout(10_000));
}

async function setEndpoints(client: KubeClient, service: string, port: number, isUp: boolean): Promise<void> {
  const slice: EndpointSlice & { readonly addressType: string } = {
    metadata: { name: service, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port }],
    // As of a Service whose selector finds no pod.
    endpoints: isUp ? [{ addresses: ['10.111.0.1'], conditions: { ready: true, serving: true } }] : null,
  };
  await client.apply(kinds.EndpointSlice, slice, AbortSignal.timeout(10_000));
}

/** Traefik's own account of its configuration. */
async function known(apis: readonly string[], url: string, isUp: boolean): Promise<void> {
  for (const api of apis) {
    for (const within = AbortSignal.timeout(10_000); ; await sleep(20, undefined, { signal: within })) {
      const services = await (await fetch(`${api}/api/http/services?per_page=10000`, { signal: within })).text();
      if (services.includes(`"${url}"`) === isUp) break;
    }
  }
}

const calmMaxMs = 45_000;

/** Other tests share the gateway, which begins to count anew with each configuration: theirs change it for minutes, with calm between. */
async function undisturbed<T>(apis: readonly string[], run: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + calmMaxMs; performance.now() < end; ) {
    const before = await reloads(apis);
    const result = await run();
    if ((await reloads(apis)) === before) return result;
  }
  throw new Error(`for ${calmMaxMs} ms somebody else changed the configuration of the gateway`);
}

async function reloads(apis: readonly string[]): Promise<string> {
  const texts = await Promise.all(apis.map(async (api) => (await fetch(`${api}/metrics`)).text()));
  return texts.map((text) => /^traefik_config_reloads_total \S+$/m.exec(text)?.[0]).join();
}

async function send(base: string, host: string, agent: Agent, options: Omit<SendOptions, 'replica'>): Promise<Sent> {
  const { path = '/', method = 'GET', headers, signal } = options;
  const outgoing = request(`${base}${path}`, {
    agent,
    method,
    headers: { ...headers, host },
    ...(signal && { signal }),
  });
  outgoing.end(method === 'POST' ? '{}' : undefined);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  const lane = answer.headers['headgate-lane'];
  return { status: answer.statusCode ?? 0, lane: typeof lane === 'string' ? lane : undefined };
}
