import type { Lane, Weights } from '../lane.ts';
import { instant } from '../lane.ts';
import type { Evidence, LaneLook, Look, WishSeen, WorkloadLook } from '../policy/look.ts';
import { behaviourOf, present, ready, type SimLane, sourcesOf, type World } from './world.ts';

/** What one driver remembers between two looks. A driver that takes over starts without it. */
export type Memory = { downSince: { [lane in Lane]: number | undefined }; idleLooks: { [lane in Lane]: number } };

export function freshMemory(): Memory {
  return { downSince: { blue: undefined, green: undefined }, idleLooks: { blue: 0, green: 0 } };
}

/** What cannot be seen this time. */
export type Blindness = { readonly weights: boolean; readonly workload: boolean; readonly queue: boolean };

export const seesAll: Blindness = { weights: false, workload: false, queue: false };

export function look(
  world: World,
  memory: Memory,
  evidence: Evidence,
  wishes: readonly WishSeen[],
  blind: Blindness,
): Look {
  const weights: Weights | undefined = blind.weights ? undefined : world.weights;
  return {
    now: instant(world.now),
    weights,
    writer: blind.weights ? undefined : world.writer,
    pins: blind.weights ? [] : world.pins,
    cannot: undefined,
    pending: undefined,
    migration: undefined,
    lanes: { blue: seeLane(world, 'blue', memory, blind), green: seeLane(world, 'green', memory, blind) },
    evidence,
    wishes,
  };
}

function seeLane(world: World, name: Lane, memory: Memory, blind: Blindness): LaneLook {
  const lane = world.lanes[name];
  const proxies = ready(world, lane, lane.proxies);
  const workers = ready(world, lane, lane.workers);
  const stalled = lane.waiting.length > 0 && world.now - lane.lastProgressAt >= 10_000;
  const down = proxies === 0 || workers === 0 || stalled;
  if (!blind.workload) memory.downSince[name] = down ? (memory.downSince[name] ?? world.now) : undefined;
  const since = memory.downSince[name];
  return {
    downMs: blind.workload || since === undefined ? 0 : Math.max(1, world.now - since),
    stands: blind.workload || since === undefined,
    probe: proxies > 0 && workers > 0 ? 'passed' : 'not asked',
    workload: blind.workload ? undefined : seeWorkload(world, lane),
    queue: blind.queue ? undefined : seeQueue(world, name, memory),
  };
}

function seeWorkload(world: World, lane: SimLane): WorkloadLook {
  const [proxies, workers] = [instances(world, lane, 'proxies'), instances(world, lane, 'workers')];
  const isCrashed = behaviourOf(world, lane).kind === 'crashes' && proxies.ready === 0 && lane.proxies.wanted > 0;
  const autoscaler = lane.held > 0 ? 'held' : 'free';
  return {
    revision: lane.isLent ? undefined : lane.revision,
    proxies,
    workers,
    ready: { proxy: proxies.ready, rating: workers.ready },
    autoscaler: world.autoscaled === undefined ? 'none' : autoscaler,
    labels: lane.labels,
    failure: isCrashed ? 'crash: exit code 1' : undefined,
    logLines: isCrashed ? ['no table'] : undefined,
  };
}

function instances(world: World, lane: SimLane, kind: 'proxies' | 'workers') {
  const up = ready(world, lane, lane[kind]);
  return {
    ready: up,
    present: present(world, lane[kind]),
    complete: lane[kind].wanted > 0 && up === lane[kind].wanted,
  };
}

function seeQueue(world: World, name: Lane, memory: Memory) {
  const lane = world.lanes[name];
  const messages = lane.waiting.length + lane.stuck.length;
  memory.idleLooks[name] = messages === 0 ? memory.idleLooks[name] + 1 : 0;
  const pullers = (['blue', 'green'] as const).filter((other) => {
    const at = world.lanes[other];
    return sourcesOf(world, other).includes(name) && ready(world, at, at.workers) > 0;
  });
  return {
    messages,
    lastSeq: world.accepted,
    waiting: pullers.length > 0,
    fencedMs: Math.max(0, lane.fencedUntil - world.now),
    sources: lane.sources,
    drained: memory.idleLooks[name] >= 2,
    dead: 0,
    deliveredStreamSeq: world.accepted,
    donePerSec: undefined,
    ackWaitMs: 10_000,
  };
}
