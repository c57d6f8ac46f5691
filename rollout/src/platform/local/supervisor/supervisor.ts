/**
 * Owns everything of a state folder: nats-server, HAProxy, Postgres, an OCI registry and the lane processes. Drivers come and go; this stays until it is
 * told to end. What it was asked for is on disk, so that the next one goes on where this one ended, however it ended.
 */
import { mkdir, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lane, lanes, type PerLane } from '../../../lane.ts';
import type { Revision } from '../../../revision.ts';
import { openHaproxyTraffic } from '../../../traffic/haproxy.ts';
import type { LaneSeen, ProbeAnswer } from '../../../workload/workload.ts';
import { clearHalfPulls, pullImage } from '../image/pull.ts';
import { findServer } from '../servers/find.ts';
import { BoundedLog } from './bounded-log.ts';
import { closeConnections } from './connections.ts';
import { type Desired, type LaneDesired, readDesired, writeDesired } from './desired.ts';
import type { Places } from './folder.ts';
import type { ProcessAt, Surroundings } from './instance.ts';
import { LaneRunner, type LogTail } from './lane-runner.ts';
import { type Machine, startMachine } from './machine.ts';
import { Migrator } from './migrator.ts';
import { clearLeftovers, recordPid } from './pids.ts';
import { PortPool } from './port-pool.ts';
import type { ResolveImage, RunnerOptions } from './service-runner.ts';
import { TrafficMemory } from './traffic-memory.ts';

const noteTrafficEveryMs = 1_000;
/** How long a restart waits for the lanes that had weight, before it gives the weights back all the same. */
const giveBackMaxMs = 20_000;

export type SupervisorOptions = {
  readonly app: string;
  readonly places: Places;
  /** Of HAProxy; 0: the one it had before, or a free one. */
  readonly port: number;
  /** Whether lanes get a database. */
  readonly postgres: boolean;
  /** Where images come from; a registry unless a test says otherwise. */
  readonly resolveImage?: ResolveImage;
  /** What is being done, for somebody who waits. */
  readonly onProgress?: (doing: string) => void;
};

export interface Supervisor extends AsyncDisposable {
  readonly machine: Machine;
  readonly migrations: Migrator;
  setRevision(lane: Lane, revision: Revision): Promise<void>;
  setWorkers(lane: Lane, revision: Revision): Promise<void>;
  scale(lane: Lane, replicas: Readonly<Record<string, number>>): Promise<void>;
  observe(lane: Lane): LaneSeen;
  probe(lane: Lane): Promise<ProbeAnswer>;
  processes(lane: Lane): readonly ProcessAt[];
  /** Ends what users have had open at the lane for so long. */
  closeConnections(lane: Lane, olderThanMs: number): Promise<void>;
  /** The last lines of each process of the lane. */
  logs(lane: Lane): readonly LogTail[];
}

/** The caller holds the folder's lock. @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION`, `SERVER_START` */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { app, places, port, postgres, onProgress = () => {} } = options;
  onProgress('clearing what an earlier one left');
  await clearLeftovers(places.pids);
  await mkdir(places.logs, { recursive: true });
  await clearHalfPulls(places.images);
  await recordPid(places.pids, process.pid);
  const log = new BoundedLog(places.log);
  const note = (text: string): void => log.write(`${new Date().toISOString()} ${text}\n`);
  onProgress('starting nats-server, HAProxy, Postgres and a registry');
  const bwrap = (await findServer('bwrap')).path;
  const over = new AbortController();
  const later: { onHaproxyAgain: () => void } = { onHaproxyAgain: () => {} };
  const machine = await startMachine({
    app,
    places,
    port,
    postgres,
    note,
    onHaproxyAgain: () => later.onHaproxyAgain(),
  });
  const around = surroundingsOf(bwrap, machine, places);
  const resolveImage: ResolveImage =
    options.resolveImage ?? ((reference, signal) => pullImage(reference, places.images, signal));
  const runners = makeRunners({ app, around, resolveImage });
  const migrations = await Migrator.open({ app, around, resolveImage, file: places.migrations });
  const traffic = new TrafficMemory(places.traffic, openHaproxyTraffic(machine.haproxy));
  later.onHaproxyAgain = () => {
    for (const lane of lanes) runners[lane].routeAgain();
    traffic.giveBack(over.signal).catch((error: unknown) => note(`weights not given back: ${error}`));
  };
  let desired = await readDesired(places.desired);
  const change = async (lane: Lane, next: LaneDesired) => {
    desired = { ...desired, [lane]: next };
    await writeDesired(places.desired, desired);
    runners[lane].set(next);
  };
  for (const lane of lanes) runners[lane].set(desired[lane]);
  const keepingTraffic = keepTraffic({ traffic, runners, desired, note, signal: over.signal });
  return {
    machine,
    migrations,
    setRevision: (lane, revision) => change(lane, { ...desired[lane], revision, lent: undefined }),
    setWorkers: (lane, lent) => change(lane, { ...desired[lane], lent }),
    scale: (lane, replicas) => change(lane, { ...desired[lane], replicas: grown(desired[lane].replicas, replicas) }),
    observe: (lane) => runners[lane].observe(),
    probe: (lane) => runners[lane].probe(),
    processes: (lane) => runners[lane].processes(),
    closeConnections: (lane, olderThanMs) => closeConnections(machine.haproxy.socket, lane, olderThanMs),
    logs: (lane) => runners[lane].logs(),
    async [Symbol.asyncDispose]() {
      over.abort();
      await keepingTraffic;
      await Promise.all([migrations.close(), ...lanes.map((lane) => runners[lane].close())]);
      await machine[Symbol.asyncDispose]();
      note('ended');
      await log.written();
      await Promise.all([places.pids, places.socket, machine.haproxy.socket].map((path) => rm(path, { force: true })));
    },
  };
}

/** "At least so many; only 0 is exact": nobody's capacity is taken away by a smaller number. */
function grown(before: LaneDesired['replicas'], asked: LaneDesired['replicas']): LaneDesired['replicas'] {
  const changed = Object.entries(asked).map(([service, n]) => [
    service,
    n === 0 ? 0 : Math.max(n, before[service] ?? 0),
  ]);
  return { ...before, ...Object.fromEntries(changed) };
}

function surroundingsOf(bwrap: string, { haproxy, urls }: Machine, { logs, pids }: Places): Surroundings {
  const ports = new PortPool();
  return {
    bwrap,
    haproxySocket: haproxy.socket,
    servers: { nats: urls.nats, database: urls.database },
    logs,
    pids,
    takePort: () => ports.take(),
  };
}

function makeRunners(options: Pick<RunnerOptions, 'app' | 'around' | 'resolveImage'>): PerLane<LaneRunner> {
  let count = 0;
  const make = (lane: Lane) => new LaneRunner({ ...options, lane, nextName: () => `p${++count}` });
  return { blue: make('blue'), green: make('green') };
}

/** Gives the weights back when the lanes that had them are there again, then notes every change. */
async function keepTraffic({
  traffic,
  runners,
  desired,
  note,
  signal,
}: {
  traffic: TrafficMemory;
  runners: PerLane<LaneRunner>;
  desired: Desired;
  note: (text: string) => void;
  signal: AbortSignal;
}): Promise<void> {
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {}); // An abort ends both loops.
  const deadline = Date.now() + giveBackMaxMs;
  const complete = () => lanes.every((lane) => desired[lane].revision === undefined || runners[lane].isComplete);
  while (!signal.aborted && !complete() && Date.now() < deadline) await pause(50);
  const attempt = (task: Promise<void>) =>
    task.catch((error: unknown) => signal.aborted || note(`HAProxy does not answer: ${error}`));
  if (!signal.aborted) await attempt(traffic.giveBack(signal));
  while (!signal.aborted) {
    await attempt(traffic.note(signal));
    await pause(noteTrafficEveryMs);
  }
}
