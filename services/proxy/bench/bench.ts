/**
 * This proxy beside a naive one (a subscription for each request), on one nats-server with one worker, in alternating
 * rounds of one run:
 *
 *     npm run bench -w services/proxy              # GET, 1.5 kB answers, 64 connections, 4 rounds of 4 s each
 *     npm run bench -w services/proxy -- --post    # POST with a body of 0.2 kB
 *
 * Prints requests/s, p99 and CPU per request of proxy, server and worker, and the ratio. CPU per request is the steadier
 * figure where load generator and servers share the processors. Linux only (/proc).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, startNats } from '../src/servers.rig.ts';
import { load } from './load.ts';

const ROUNDS = 4;
/** Linux counts processor time in ticks of 10 ms. */
const TICK_US = 10_000;

type Round = { readonly perSecond: number; readonly p99: number; readonly cpuUs: readonly number[] };

const body = JSON.stringify({ items: [{ userId: crypto.randomUUID(), serviceId: crypto.randomUUID(), score: 5 }] });
const requests = {
  get: 'GET /ratings?limit=10 HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: application/json\r\n\r\n',
  post: `POST /ratings HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
};

await using nats = await startNats();
const children: ChildProcess[] = [];
try {
  await compare(process.argv.includes('--post') ? requests.post : requests.get);
} finally {
  for (const child of children) child.kill('SIGKILL');
}

async function compare(request: string): Promise<void> {
  const worker = start(new URL('./worker.ts', import.meta.url), 0);
  await once(worker.stdout ?? worker, 'data');
  const names = ['headgate', 'naive'] as const;
  const ports = { headgate: await freePort(), naive: await freePort() };
  const pids = {
    headgate: start(new URL('../src/main.ts', import.meta.url), ports.headgate).pid ?? 0,
    naive: start(new URL('./naive.ts', import.meta.url), ports.naive).pid ?? 0,
  };
  const rounds: Record<(typeof names)[number], Round[]> = { headgate: [], naive: [] };
  for (const name of names) {
    await listening(ports[name]);
    await load(ports[name], request, { seconds: 3 }); // Warm: the first seconds run unoptimised code.
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      rounds[name].push(await measure(ports[name], request, [pids[name], nats.pid, worker.pid ?? 0]));
    }
  }
  print(rounds);
}

async function measure(port: number, request: string, pids: readonly number[]): Promise<Round> {
  const before = await Promise.all(pids.map(cpuTicks));
  const { requests, failed, seconds, latencyMsP99 } = await load(port, request);
  const after = await Promise.all(pids.map(cpuTicks));
  if (failed > 0) throw new Error(`Cannot compare as ${failed} of ${requests} requests failed`);
  const cpuUs = after.map((ticks, i) => ((ticks - (before[i] ?? 0)) * TICK_US) / requests);
  return { perSecond: requests / seconds, p99: latencyMsP99, cpuUs };
}

/** User and system time of all threads. */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function start(script: URL, port: number): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(script)], {
    env: {
      ...process.env,
      NATS_URL: nats.url,
      SUBJECT_PREFIX: 'bench-blue',
      HOST: '127.0.0.1',
      PORT: String(port),
      ADMIN_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await sleep(50);
  }
  throw new Error(`Cannot reach port ${port}`);
}

function print(rounds: Readonly<Record<'headgate' | 'naive', readonly Round[]>>): void {
  const rows = (['headgate', 'naive'] as const).map((name) => {
    const of = (figure: (round: Round) => number) => median(rounds[name].map(figure));
    const [proxy, server, worker] = [0, 1, 2].map((i) => of((round) => round.cpuUs[i] ?? 0));
    return { name, perSecond: of((round) => round.perSecond), p99: of((round) => round.p99), proxy, server, worker };
  });
  const fixed = (value = 0, digits = 1) => value.toFixed(digits);
  for (const row of rows) {
    say(
      `${row.name.padEnd(9)} ${fixed(row.perSecond, 0).padStart(6)} req/s   p99 ${fixed(row.p99)} ms   ` +
        `CPU per request: proxy ${fixed(row.proxy)} us, server ${fixed(row.server)} us, worker ${fixed(row.worker)} us`,
    );
  }
  const ratio = (rows[0]?.proxy ?? 0) / (rows[1]?.proxy ?? 1);
  say(
    `ratio     ${fixed((rows[0]?.perSecond ?? 0) / (rows[1]?.perSecond ?? 1), 2)}x requests/s, ${fixed(ratio, 2)}x proxy CPU per request`,
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
