/** What drivers may ask of the supervisor: HTTP with JSON on a unix socket that only its owner may open. */
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type Lane, lanes } from '../../../lane.ts';
import type { Migration } from '../../../migration/migration.ts';
import type { Revision } from '../../../revision.ts';
import type { Supervisor } from './supervisor.ts';

const bodyMaxBytes = 1 << 20;

/** `doing` while it starts or ends, for somebody who waits. */
export type Info =
  | { readonly kind: 'busy'; readonly app: string; readonly pid: number; readonly doing: string }
  | {
      readonly kind: 'ready';
      readonly app: string;
      readonly pid: number;
      readonly urls: Supervisor['machine']['urls'];
      readonly haproxy: { readonly socket: string; readonly pinMap: string };
    };

export type Served = {
  readonly info: () => Info;
  /** `undefined` while it starts or ends. */
  readonly supervisor: () => Supervisor | undefined;
};

/** Its disposal ends open connections. */
export async function serveApi(socketPath: string, served: Served): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    answer(request, served).then(
      ({ status, body }) => reply(response, status, body),
      (error: unknown) => reply(response, 500, { message: error instanceof Error ? error.message : String(error) }),
    );
  });
  // The lock is ours, so a socket that is here is a dead one's.
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

type Answer = { readonly status: number; readonly body: unknown };
const unavailable: Answer = { status: 503, body: { message: 'the supervisor is starting or ending' } };
const done: Answer = { status: 200, body: {} };

async function answer(request: IncomingMessage, { info, supervisor }: Served): Promise<Answer> {
  const url = request.url ?? '/';
  if (request.method === 'GET' && url === '/info') return { status: 200, body: info() };
  const [, room, lane, act = ''] = url.split('/');
  if (room === 'migrations') return answerMigration(request, lane, supervisor());
  if (room !== 'lanes' || !isLane(lane)) return { status: 404, body: { message: `nothing is at "${url}"` } };
  const running = supervisor();
  if (running === undefined) return unavailable;
  switch (`${request.method} ${act}`) {
    case 'GET ':
      return { status: 200, body: running.observe(lane) };
    case 'GET processes':
      return { status: 200, body: running.processes(lane) };
    case 'GET logs':
      return { status: 200, body: running.logs(lane) };
    case 'POST probe':
      return { status: 200, body: await running.probe(lane) };
    case 'PUT revision':
      await running.setRevision(lane, (await readBody(request)) as Revision); // Only our own client writes here.
      return done;
    case 'PUT workers':
      await running.setWorkers(lane, (await readBody(request)) as Revision); // As above.
      return done;
    case 'PUT scale':
      await running.scale(lane, (await readBody(request)) as Record<string, number>); // As above.
      return done;
    case 'POST close-connections':
      await running.closeConnections(lane, (await readBody(request)) as number); // As above.
      return done;
    default:
      return { status: 404, body: { message: `nothing is at "${request.method} ${url}"` } };
  }
}

async function answerMigration(request: IncomingMessage, act: string | undefined, running: Supervisor | undefined) {
  if (running === undefined) return unavailable;
  const migration = (await readBody(request)) as Migration; // Only our own client writes here.
  if (act === 'run') running.migrations.start(migration);
  return { status: 200, body: running.migrations.observe(migration) };
}

function isLane(name: string | undefined): name is Lane {
  return lanes.some((lane) => lane === name);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) > bodyMaxBytes) {
    throw new RangeError(`a body must say its length, and have at most ${bodyMaxBytes} bytes`);
  }
  return JSON.parse(await text(request)) as unknown;
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
