/** The real proxies of both lanes, one process each, before a real nats-server with somebody who answers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from 'nats';
import { type Lane, lanes, type PerLane } from '../lane.ts';
import { startNats } from '../platform/local/servers/nats.ts';
import { difference } from './difference.ts';
import type { Metrics } from './metrics.ts';

const main = fileURLToPath(new URL('../../../services/proxy/src/main.ts', import.meta.url));
const statuses = { passed: 200, failed: 500, refused: 404 };

export interface ProxiesRig extends AsyncDisposable {
  /** Of `/metrics`, the same in both lanes. */
  readonly adminPort: number;
  /** One request to this lane's proxy; over when the proxy has answered. */
  request(lane: Lane, outcome: keyof typeof statuses): Promise<void>;
  /** Both, with counters that begin anew. */
  restart(): Promise<void>;
}

export async function startProxies(app: string, addresses: PerLane<string>): Promise<ProxiesRig> {
  const nats = await startNats();
  const connection = await connect({ servers: nats.url });
  let status = 200;
  connection.subscribe('*.get.ratings', {
    callback(_, message) {
      const { originReplyTo } = message.json<{ readonly originReplyTo: string }>();
      connection.publish(originReplyTo, JSON.stringify({ headers: {}, body: [], statusCode: status }));
    },
  });
  const [port, adminPort] = [await freePort(addresses), await freePort(addresses)];
  const start = (lane: Lane): Promise<ChildProcess> => {
    const host = addresses[lane];
    const env = { HOST: host, PORT: String(port), ADMIN_PORT: String(adminPort), NATS_URL: nats.url };
    const identity = { HEADGATE_APP: app, HEADGATE_LANE: lane, SUBJECT_PREFIX: `${app}-${lane}` };
    return startProxy(`http://${host}:${adminPort}`, { ...env, ...identity });
  };
  let children = await Promise.all(lanes.map(start));
  const stop = () => Promise.all(children.map(ended));
  return {
    adminPort,
    async request(lane, outcome) {
      status = statuses[outcome];
      const answer = await fetch(`http://${addresses[lane]}:${port}/ratings`);
      await answer.text();
      if (answer.status !== status) throw new Error(`the proxy answers ${answer.status}, not ${status}`);
    },
    async restart() {
      await stop();
      children = await Promise.all(lanes.map(start));
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await connection.close();
      await nats[Symbol.asyncDispose]();
    },
  };
}

/** Waits until what was asked is counted; the counts come later than the answers. */
export async function counted(metrics: Metrics, lane: Lane, request: () => Promise<void>): Promise<void> {
  const within = AbortSignal.timeout(20_000);
  const before = await metrics.observe(within);
  await request();
  while (!(Number(difference(before, await metrics.observe(within))?.[lane].weighted.requests) > 0)) await sleep(20);
}

async function startProxy(admin: string, env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'ignore',
  });
  for (const within = AbortSignal.timeout(20_000); ; await sleep(50, undefined, { signal: within })) {
    const isReady = await fetch(`${admin}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return child;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** One that no address of the two has in use. */
async function freePort(addresses: PerLane<string>): Promise<number> {
  const server = createServer().listen(0, addresses.blue);
  await once(server, 'listening');
  const { port } = server.address() as { port: number }; // It listens on TCP.
  server.close();
  return port;
}
