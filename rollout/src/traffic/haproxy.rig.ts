import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Lane, lanes } from '../lane.ts';
import { type RunningHaproxy, startHaproxy } from '../platform/local/haproxy.ts';
import { freePort } from '../platform/local/servers/index.ts';
import { runtimeCommand } from '../platform/local/servers/runtime-socket.ts';

/** The local data plane with one HTTP server behind each lane. The path of a request says how it is answered. */
export interface HaproxyRig extends AsyncDisposable {
  readonly haproxy: RunningHaproxy;
  /** Over kept connections; rejects when the connection ends without an answer. */
  send(options?: SendOptions): Promise<{ readonly status: number; readonly lane: string | undefined }>;
  tell(command: string): Promise<string>;
  /** Takes the servers of a lane out of HAProxy. */
  stop(lane: Lane): Promise<void>;
  /** Another HAProxy in the same place, without the servers. */
  restart(): Promise<void>;
}

export type SendOptions = {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Leaves when this aborts. */
  readonly signal?: AbortSignal;
};

export async function startHaproxyRig(): Promise<HaproxyRig> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-traffic-'));
  const place = { app: 'ratings', folder, port: await freePort() };
  let haproxy = await startHaproxy(place);
  const tell = (command: string): Promise<string> =>
    runtimeCommand(haproxy.socket, command, AbortSignal.timeout(5_000));
  const servers: Server[] = [];
  for (const lane of lanes) {
    const server = await startBackend();
    servers.push(server);
    for (const name of [`lane-${lane}/one`, `${lane}-pinned/one`]) {
      await tell(`add server ${name} 127.0.0.1:${(server.address() as AddressInfo).port}; enable server ${name}`);
    }
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  return {
    haproxy,
    tell,
    async restart() {
      await haproxy[Symbol.asyncDispose]();
      haproxy = await startHaproxy(place);
    },
    send: (options = {}) => send(haproxy.url, agent, options),
    async stop(lane) {
      for (const name of [`lane-${lane}/one`, `${lane}-pinned/one`]) {
        await tell(`disable server ${name}; del server ${name}`);
      }
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await haproxy[Symbol.asyncDispose]();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `/503` answers with that status, `/close` ends the connection instead, `/cut` in the middle of the answer, `/hang` never answers. */
async function startBackend(): Promise<Server> {
  const server = createServer((incoming, response) => {
    const how = incoming.url?.slice(1) ?? '';
    if (how === 'hang') return;
    if (how === 'close') return void incoming.socket.destroy();
    if (how !== 'cut') return void response.writeHead(Number(how) || 200).end('whole');
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('half', () => incoming.socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function send(url: string, agent: Agent, { path = '/', method = 'GET', headers, signal }: SendOptions) {
  const outgoing = request(`${url}${path}`, { agent, method, headers: { ...headers }, ...(signal && { signal }) });
  outgoing.end(method === 'POST' ? '{}' : undefined);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  const lane = answer.headers['headgate-lane'];
  return { status: answer.statusCode ?? 0, lane: typeof lane === 'string' ? lane : undefined };
}
