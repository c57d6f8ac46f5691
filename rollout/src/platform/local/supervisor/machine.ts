/** The servers of a state folder: started together, on the ports they had before, and started again when one ends by itself. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { replaceDurably, unlessMissing } from '../../../journal/files.ts';
import { type RunningHaproxy, startHaproxy } from '../haproxy.ts';
import { startNats, startPostgres, startRegistry } from '../servers/index.ts';
import type { RunningServer } from '../servers/process.ts';
import type { Places } from './folder.ts';
import { recordPid } from './pids.ts';
import { isFree, PortPool } from './port-pool.ts';

const restartAfterMs = 500;
const restartMaxMs = 30_000;

export type MachineOptions = {
  readonly app: string;
  readonly places: Places;
  /** Of HAProxy; 0: the one it had before, or a free one. */
  readonly port: number;
  /** Whether the app has a database. */
  readonly postgres: boolean;
  readonly note: (text: string) => void;
  /** HAProxy began anew: it has no servers, and weights 0 and 0. */
  readonly onHaproxyAgain: () => void;
};

export interface Machine extends AsyncDisposable {
  readonly urls: {
    readonly http: string;
    readonly nats: string;
    /** Of an OCI registry whose address stays, because revisions name it. */
    readonly registry: string;
    readonly database: string | undefined;
  };
  readonly haproxy: Pick<RunningHaproxy, 'socket' | 'pinMap'>;
}

type PortNumbers = {
  readonly http: number;
  readonly nats: number;
  readonly registry: number;
  readonly postgres: number;
};

/** @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION`, `SERVER_START` */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const { app, places, note } = options;
  const ports = await choosePorts(places.ports, options.port);
  const folderOf = async (name: string) => {
    const folder = join(places.folder, 'data', name);
    await mkdir(folder, { recursive: true });
    return folder;
  };
  const keep = <S extends RunningServer>(name: string, start: () => Promise<S>, again = () => {}) =>
    keepRunning({ name, start, again, note, pids: places.pids });
  const natsFolder = await folderOf('nats');
  const registryFolder = await folderOf('registry');
  const postgresFolder = await folderOf('postgres');
  const database = app.replaceAll('-', '_');
  const starting = [
    keep('haproxy', () => startHaproxy({ app, folder: places.folder, port: ports.http }), options.onHaproxyAgain),
    keep('nats-server', () => startNats({ folder: natsFolder, port: ports.nats })),
    keep('docker-registry', () => startRegistry({ folder: registryFolder, port: ports.registry })),
    ...(options.postgres
      ? [keep('postgres', () => startPostgres({ folder: postgresFolder, port: ports.postgres, database }))]
      : []),
  ] as const;
  const started = await Promise.allSettled(starting);
  const kept = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const close = async () => void (await Promise.all(kept.map((each) => each[Symbol.asyncDispose]())));
  const failed = started.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  const [haproxy, nats, registry, postgres] = kept.map(({ first }) => first);
  return {
    urls: { http: haproxy?.url ?? '', nats: nats?.url ?? '', registry: registry?.url ?? '', database: postgres?.url },
    haproxy: haproxy as RunningHaproxy, // The first of the list above.
    [Symbol.asyncDispose]: close,
  };
}

/** The ports of last time, as long as nobody else has them: addresses in a terminal or a script stay right. */
async function choosePorts(file: string, wantedHttp: number): Promise<PortNumbers> {
  const text = await unlessMissing(readFile(file, 'utf8'));
  const last = text === undefined ? undefined : (JSON.parse(text) as PortNumbers); // Our own file, written whole.
  const pool = new PortPool();
  const choose = async (port: number | undefined) => (port !== undefined && (await isFree(port)) ? port : pool.take());
  const ports = {
    http: wantedHttp || (await choose(last?.http)),
    nats: await choose(last?.nats),
    registry: await choose(last?.registry),
    postgres: await choose(last?.postgres),
  };
  await replaceDurably(file, JSON.stringify(ports));
  return ports;
}

type Kept<S> = AsyncDisposable & { readonly first: S };

async function keepRunning<S extends RunningServer>({
  name,
  start,
  again,
  note,
  pids,
}: {
  name: string;
  start: () => Promise<S>;
  again: () => void;
  note: (text: string) => void;
  pids: string;
}): Promise<Kept<S>> {
  const over = new AbortController();
  const startNoted = async () => {
    const server = await start();
    await recordPid(pids, server.pid);
    note(`${name} ${server.found.version} (${server.found.path}) at ${server.url}`);
    return server;
  };
  const first = await startNoted();
  let current: RunningServer = first;
  /** One more start; a failed one leaves `current` as ended as it is. */
  const startAgain = async () => {
    try {
      current = await startNoted();
      again();
    } catch (error) {
      note(`${name} does not start: ${error instanceof Error ? error.message : error}`);
    }
  };
  const guard = async () => {
    for (let waitMs = restartAfterMs; !over.signal.aborted; waitMs = Math.min(waitMs * 2, restartMaxMs)) {
      const exit = await current.ended;
      if (over.signal.aborted) return;
      note(`${name} ended by itself (${exit.code ?? exit.signal}); starting it again`);
      await sleep(waitMs, undefined, { signal: over.signal }).catch(() => {}); // An abort ends the loop.
      if (!over.signal.aborted) await startAgain();
    }
  };
  const guarding = guard();
  return {
    first,
    async [Symbol.asyncDispose]() {
      over.abort();
      await current[Symbol.asyncDispose]();
      await guarding;
      await current[Symbol.asyncDispose](); // It may just have been started again.
    },
  };
}
