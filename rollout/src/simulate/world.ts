import type { Lane, Pin, Weights } from '../lane.ts';
import { closedWeights, lanes } from '../lane.ts';
import { type Marker, sameMarker } from '../pin.ts';
import type { LaneLabels } from '../policy/look.ts';
import type { Adoption } from '../spec.ts';
import { binomial } from './random.ts';

/** How a revision behaves. `from` is when its trouble begins, in ms after it started. */
export type Behaviour = {
  readonly failRatio: number;
  readonly kind: 'answers' | 'crashes' | 'neverReady' | 'neverAcks' | 'ignoresSigterm';
  readonly fromMs: number;
};

export const good: Behaviour = { failRatio: 0.002, kind: 'answers', fromMs: 0 };

/** One lane of the simulated world. Mutable: the world is the one thing here that changes. */
export type SimLane = {
  revision: string | undefined;
  /** Its workers are live's. */
  isLent: boolean;
  startedAt: number;
  proxies: Pool;
  workers: Pool;
  sources: readonly Lane[];
  fencedUntil: number;
  /** Messages that wait, oldest first: when they came in. */
  waiting: number[];
  /** Delivered to a worker that does not ack; they wait again when it is gone. */
  stuck: number[];
  lastProgressAt: number;
  /** Instances of each kind below which an autoscaler may not go just now; 0: its owner's bounds. */
  held: number;
  labels: LaneLabels;
};

/** Instances of one kind: how many are wanted, since when, and until when stopping ones are still there. */
export type Pool = { wanted: number; since: number; leavingUntil: number; leaving: number };

export type Tally = { requests: number; failed: number };

export type World = {
  now: number;
  weights: Weights;
  pins: readonly Pin[];
  /** Who wrote weights and pins, if not the driver. */
  writer: string | undefined;
  readonly lanes: { [lane in Lane]: SimLane };
  readonly behaviours: Map<string, Behaviour>;
  readonly ratePerSecond: number;
  /** Instances of each kind that all traffic needs, as autoscalers see it; `undefined`: there are none. */
  autoscaled: number | undefined;
  /** What is written; with `answer` no version can read another one's messages. */
  adopt: Adoption;
  /** Whether workers know of source lists; those that do not pull from their own lane. */
  followsSources: boolean;
  /** Nothing can be copied to the dead letters just now. */
  lettersAway: boolean;
  readonly random: () => number;
  /** Since the world began: accepted into a queue, answered once by a worker, or with 503 by the driver, who keeps a dead letter; expired. They must add up in the end. */
  accepted: number;
  answered: number;
  deadLetters: number;
  expired: number;
  /** Counts per lane since the last reading. */
  readonly counts: { [lane in Lane]: Tally };
  /** Rules that were broken, in words. */
  readonly broken: string[];
};

/** Carried by a part of the users, who go by weight while nobody pins them. */
export const testMarker: Marker = { header: 'X-Variant', value: 'b' };
const testShare = 0.2;

const startMs = 1_500;
const stopMs = 800;
const killMs = 5_000;
const maxAgeMs = 120_000;
const perWorkerPerSecond = 200;

export function makeWorld(random: () => number, ratePerSecond: number): World {
  return {
    now: 1_000_000,
    weights: closedWeights,
    pins: [],
    writer: undefined,
    lanes: { blue: emptyLane(['blue']), green: emptyLane(['green']) },
    behaviours: new Map(),
    ratePerSecond,
    autoscaled: undefined,
    adopt: 'bind',
    followsSources: true,
    lettersAway: false,
    random,
    accepted: 0,
    answered: 0,
    deadLetters: 0,
    expired: 0,
    counts: { blue: { requests: 0, failed: 0 }, green: { requests: 0, failed: 0 } },
    broken: [],
  };
}

function emptyLane(sources: readonly Lane[]): SimLane {
  const pool = (): Pool => ({ wanted: 0, since: 0, leavingUntil: 0, leaving: 0 });
  return {
    revision: undefined,
    isLent: false,
    startedAt: 0,
    proxies: pool(),
    workers: pool(),
    sources,
    fencedUntil: 0,
    waiting: [],
    stuck: [],
    lastProgressAt: 0,
    held: 0,
    labels: { role: undefined, release: undefined },
  };
}

export function behaviourOf(world: World, lane: SimLane, pool = lane.proxies): Behaviour {
  if (lane.isLent && pool === lane.workers) return good;
  return (lane.revision === undefined ? undefined : world.behaviours.get(lane.revision)) ?? good;
}

/** Ready instances: up for long enough, and not crashed. */
export function ready(world: World, lane: SimLane, pool: Pool): number {
  const behaviour = behaviourOf(world, lane, pool);
  if (behaviour.kind === 'neverReady') return 0;
  if (behaviour.kind === 'crashes' && world.now - lane.startedAt >= behaviour.fromMs) return 0;
  return world.now - pool.since >= startMs ? pool.wanted : 0;
}

export function present(world: World, pool: Pool): number {
  return pool.wanted + (world.now < pool.leavingUntil ? pool.leaving : 0);
}

/** Time goes on: requests come in by weight, workers answer, messages age. */
export function pass(world: World, ms: number): void {
  world.now += ms;
  const arriving = Math.round((world.ratePerSecond * ms) / 1_000);
  const pinned = world.pins.find((pin) => sameMarker(pin, testMarker))?.lane;
  const byPin = pinned === undefined ? 0 : binomial(arriving, testShare, world.random);
  const isOpen = world.weights.blue + world.weights.green > 0;
  const byWeight = isOpen ? arriving - byPin : 0;
  const toBlue = binomial(byWeight, world.weights.blue / 100, world.random);
  const share = { blue: toBlue, green: byWeight - toBlue };
  if (pinned !== undefined) share[pinned] += byPin;
  for (const lane of lanes) autoscale(world, lane);
  for (const lane of lanes) arrive(world, lane, share[lane]);
  for (const lane of lanes) work(world, lane, ms);
  for (const lane of lanes) age(world, world.lanes[lane]);
}

/** By load alone: a lane without traffic is brought down to one instance, unless it is held. One at 0 stays there. */
function autoscale(world: World, lane: Lane): void {
  if (world.autoscaled === undefined) return;
  const at = world.lanes[lane];
  const size = Math.max(1, at.held, Math.ceil((world.autoscaled * world.weights[lane]) / 100));
  for (const pool of [at.proxies, at.workers]) if (pool.wanted > 0) resize(world, at, pool, size);
}

function arrive(world: World, lane: Lane, requests: number): void {
  const at = world.lanes[lane];
  world.counts[lane].requests += requests;
  if (ready(world, at, at.proxies) === 0) {
    world.counts[lane].failed += requests;
    return;
  }
  world.accepted += requests;
  for (let i = 0; i < requests; i++) at.waiting.push(world.now);
}

/** The workers of `lane` take from each of their sources, the adopted one at half speed. */
function work(world: World, lane: Lane, ms: number): void {
  const at = world.lanes[lane];
  const behaviour = behaviourOf(world, at, at.workers);
  const hands = ready(world, at, at.workers);
  if (hands === 0) return;
  for (const source of sourcesOf(world, lane)) {
    const from = world.lanes[source];
    noteUnreadable(world, lane, source);
    if (world.now < from.fencedUntil) continue;
    from.lastProgressAt = world.now;
    const speed = (hands * perWorkerPerSecond * ms) / 1_000 / (source === lane ? 1 : 2);
    const taken = from.waiting.splice(0, Math.floor(speed));
    if (behaviour.kind === 'neverAcks' && world.now - at.startedAt >= behaviour.fromMs) {
      from.stuck.push(...taken);
      world.counts[source].failed += taken.length;
    } else {
      world.answered += taken.length;
      const bad = world.now - at.startedAt >= behaviour.fromMs ? behaviour.failRatio : good.failRatio;
      world.counts[source].failed += binomial(taken.length, bad, world.random);
    }
  }
}

function noteUnreadable({ adopt, lanes, broken }: World, lane: Lane, source: Lane): void {
  const isOthers = source !== lane || lanes[lane].isLent;
  if (adopt === 'answer' && isOthers && lanes[source].waiting.length > 0)
    broken.push(`workers got messages of lane ${source} that they cannot read`);
}

export function sourcesOf({ followsSources, lanes }: World, lane: Lane): readonly Lane[] {
  return followsSources ? lanes[lane].sources : [lane];
}

function age(world: World, lane: SimLane): void {
  if (lane.stuck.length > 0 && present(world, lane.workers) === 0) lane.waiting.unshift(...lane.stuck.splice(0));
  const fresh = lane.waiting.filter((at) => world.now - at < maxAgeMs);
  world.expired += lane.waiting.length - fresh.length;
  lane.waiting = fresh;
}

/** A pool that grows from nothing starts its lane. */
export function resize(world: World, lane: SimLane, pool: Pool, wanted: number): void {
  if (wanted === pool.wanted) return;
  if (wanted < pool.wanted) {
    pool.leaving = pool.wanted - wanted;
    pool.leavingUntil = world.now + (behaviourOf(world, lane, pool).kind === 'ignoresSigterm' ? killMs : stopMs);
  } else if (pool.wanted === 0) {
    pool.since = world.now;
    lane.startedAt = world.now;
  }
  pool.wanted = wanted;
}
