import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { withDeadline } from '../../../deadline.ts';
import { HeadgateError } from '../../../errors.ts';
import type { Lane } from '../../../lane.ts';
import type { Migration, MigrationSeen } from '../../../migration/migration.ts';
import type { Revision } from '../../../revision.ts';
import type { LaneSeen, ProbeAnswer } from '../../../workload/workload.ts';
import type { Info } from './api.ts';
import type { ProcessAt } from './instance.ts';
import type { LogTail } from './lane-runner.ts';

const answerMaxMs = 10_000;

/** What a driver, or any other process, asks of the supervisor. Every call: @throws {HeadgateError} `SUPERVISOR_UNREACHABLE` */
export interface SupervisorClient {
  info(signal: AbortSignal): Promise<Info>;
  setRevision(lane: Lane, revision: Revision, signal: AbortSignal): Promise<void>;
  setWorkers(lane: Lane, revision: Revision, signal: AbortSignal): Promise<void>;
  scale(lane: Lane, replicas: Readonly<Record<string, number>>, signal: AbortSignal): Promise<void>;
  observe(lane: Lane, signal: AbortSignal): Promise<LaneSeen>;
  probe(lane: Lane, signal: AbortSignal): Promise<ProbeAnswer>;
  processes(lane: Lane, signal: AbortSignal): Promise<readonly ProcessAt[]>;
  closeConnections(lane: Lane, olderThanMs: number, signal: AbortSignal): Promise<void>;
  migrate(migration: Migration, signal: AbortSignal): Promise<void>;
  migration(migration: Migration, signal: AbortSignal): Promise<MigrationSeen>;
  /** The last 20 lines of each process of the lane. */
  logs(lane: Lane, signal: AbortSignal): Promise<readonly LogTail[]>;
}

/** Opens no connection by itself: a supervisor that is started later is reached, too. */
export function openSupervisorClient(socketPath: string): SupervisorClient {
  const ask = <T>(method: string, path: string, signal: AbortSignal, body?: unknown) =>
    exchange({ socketPath, method, path, body, signal }) as Promise<T>; // Supervisor and client are one program.
  return {
    info: (signal) => ask('GET', '/info', signal),
    setRevision: async (lane, revision, signal) => void (await ask('PUT', `/lanes/${lane}/revision`, signal, revision)),
    setWorkers: async (lane, revision, signal) => void (await ask('PUT', `/lanes/${lane}/workers`, signal, revision)),
    scale: async (lane, replicas, signal) => void (await ask('PUT', `/lanes/${lane}/scale`, signal, replicas)),
    observe: (lane, signal) => ask('GET', `/lanes/${lane}/`, signal),
    probe: (lane, signal) => ask('POST', `/lanes/${lane}/probe`, signal),
    processes: (lane, signal) => ask('GET', `/lanes/${lane}/processes`, signal),
    closeConnections: async (lane, olderThanMs, signal) =>
      void (await ask('POST', `/lanes/${lane}/close-connections`, signal, olderThanMs)),
    migrate: async (migration, signal) => void (await ask('POST', '/migrations/run', signal, migration)),
    migration: (migration, signal) => ask('POST', '/migrations/observe', signal, migration),
    logs: (lane, signal) => ask('GET', `/lanes/${lane}/logs`, signal),
  };
}

type Exchange = {
  readonly socketPath: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly signal: AbortSignal;
};

async function exchange({ socketPath, method, path, body, signal }: Exchange): Promise<unknown> {
  signal.throwIfAborted();
  try {
    const within = withDeadline(signal, answerMaxMs);
    const { status, content } = await send({ socketPath, method, path, body, signal: within });
    const answer = JSON.parse(content) as unknown;
    if (status === 200) return answer;
    throw new Error((answer as { message: string }).message); // Every other answer has one.
  } catch (cause) {
    signal.throwIfAborted();
    throw new HeadgateError(
      'SUPERVISOR_UNREACHABLE',
      `Cannot ${method} ${path} as the supervisor at ${socketPath} did not do it`,
      {
        hint: 'run the command again: it starts the supervisor if none runs; its log is logs/supervisor.log beside the socket',
        cause,
      },
    );
  }
}

function send({ socketPath, method, path, body, signal }: Exchange): Promise<{ status: number; content: string }> {
  const content = body === undefined ? '' : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
    const sent = request({ socketPath, method, path, headers, signal, agent: false }, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode ?? 0, content: answer }), reject);
    });
    sent.once('error', reject);
    sent.end(content);
  });
}
