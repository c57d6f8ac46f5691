import { join } from 'node:path';
import { openFileJournal } from '../../journal/file.ts';
import { openHaproxyMetrics } from '../../metrics/haproxy.ts';
import { openLocalProcesses } from '../../metrics/local-processes.ts';
import type { Processes } from '../../metrics/processes.ts';
import { openLocalMigrations } from '../../migration/local.ts';
import { bootstrap } from '../../queue/bootstrap.ts';
import { openConnection } from '../../queue/connection.ts';
import { openJetStreamQueue } from '../../queue/jetstream.ts';
import type { Spec } from '../../spec.ts';
import { openHaproxyTraffic } from '../../traffic/haproxy.ts';
import { openLocalWorkload } from '../../workload/local.ts';
import { ask } from '../ask.ts';
import type { Opening } from '../open.ts';
import type { Platform } from '../platform.ts';
import { openSupervisorClient } from './supervisor/client.ts';
import { ensureSupervisor } from './supervisor/ensure.ts';
import { placesOf } from './supervisor/folder.ts';

/**
 * All ports of an app on this machine. Starts the supervisor when none runs, and makes the queue's lanes: their streams are in memory,
 * so a nats-server that began anew has none. Disposal closes connections and leaves everything running.
 * @throws {HeadgateError} as `ensureSupervisor()` and `bootstrap()`
 */
export async function openLocalPlatform(
  spec: Spec,
  { state, signal, say, isMade = false }: Opening,
): Promise<Platform> {
  const { app, services, queue: queued } = spec;
  const { client, info } = await ensureSupervisor({ app, folder: state, onProgress: say }, signal);
  if (queued !== undefined && !isMade) {
    await using connection = openConnection(app, info.urls.nats);
    await bootstrap(connection, { app, services, existing: undefined }, signal);
  }
  const queue = queued && openJetStreamQueue({ app, services, existing: undefined, url: info.urls.nats });
  return {
    traffic: openHaproxyTraffic(info.haproxy),
    workload: openLocalWorkload(client),
    metrics: openHaproxyMetrics(info.haproxy),
    processes: openLocalProcesses(client, app),
    migrations: openLocalMigrations(client),
    queue,
    ...openFileJournal(join(state, 'journal')),
    herald: undefined,
    setFence: () => {}, // HAProxy has no place for it.
    send: ({ path, headers }, within) => ask(`${info.urls.http}${path}`, headers, within),
    [Symbol.asyncDispose]: async () => queue?.[Symbol.asyncDispose](),
  };
}

/** Of the supervisor that runs; each question fails while none does. */
export function openRunningProcesses({ app }: Spec, state: string): Processes {
  return openLocalProcesses(openSupervisorClient(placesOf(state).socket), app);
}
