import { firstOf, withDeadline } from '../deadline.ts';
import { type Instant, type Lane, lanes, type PerLane, perLane } from '../lane.ts';
import { difference } from '../metrics/difference.ts';
import type { MetricsSeen } from '../metrics/metrics.ts';
import type { Platform } from '../platform/platform.ts';
import type { Evidence, LaneLook, Look, WishSeen } from '../policy/look.ts';
import type { Release } from '../policy/release.ts';
import type { LaneQueueSeen } from '../queue/queue.ts';
import type { TrafficSeen } from '../traffic/traffic.ts';
import type { LaneSeen } from '../workload/workload.ts';
import { isStalled, type LaneMemory, laneLook, newLaneMemory, withQueue } from './lane-look.ts';
import type { Emit, Port } from './occurrence.ts';
import { migrationOf } from './perform.ts';

/** How long one look may take. A port that has not answered by then was not seen; the next time the others wait for it only so long. */
const lookMaxMs = 2_000;
const lateMaxMs = 500;
/** The judge needs the counts, and waits no longer than this for what else there is to see. */
const afterCountsMs = 1_000;
/** No longer than this since the look began while a lane fails and nothing is decided yet; not at all where something was late at the look before. */
const failuresMaxMs = 300;

/** What the ports answered at one moment, before it is put into the policy's words. */
export type Sights = {
  readonly traffic: TrafficSeen | undefined;
  readonly metrics: MetricsSeen | undefined;
  readonly workloads: PerLane<LaneSeen | undefined>;
  readonly queues: PerLane<LaneQueueSeen | undefined>;
  /** Some port did not answer in time. */
  readonly late: boolean;
};

/** Looks at the world for one driver, and remembers what two looks in a row say together. */
export interface Watcher {
  /** Asks all ports at once. `urgent`: what the counts say decides, so that nothing else is waited for once a lane fails. */
  sight(now: Instant, urgent: boolean, signal: AbortSignal): Promise<Sights>;
  /** Puts sights into the policy's words. In `starting` it sends the synthetic request once the lane is up. */
  look(
    release: Release,
    sights: Sights,
    rest: { now: Instant; evidence: Evidence; wishes: readonly WishSeen[] },
    signal: AbortSignal,
  ): Promise<Look>;
  /** What the router said to the last writes, for the next look: why it cannot do them, or `undefined`. */
  cannot: string | undefined;
}

export function makeWatcher(ports: Platform, emit: Emit): Watcher {
  const memory: { [lane in Lane]: LaneMemory } = { blue: newLaneMemory(), green: newLaneMemory() };
  const late = new Set<Port>();
  let before: MetricsSeen | undefined;
  const prober = makeProber(ports, emit, late);
  const see = (lane: Lane, release: Release, sights: Sights, now: Instant): LaneLook => {
    const remembered = withQueue(memory[lane], sights.queues[lane], now);
    const [look, after] = laneLook(release, sights.workloads[lane], remembered, isStalled(remembered, now), now);
    memory[lane] = after;
    return look;
  };
  return {
    cannot: undefined,
    async sight(now, urgent, signal) {
      const sights = await sight(ports, { emit, late, now, before: urgent ? before : undefined }, signal);
      before = sights.metrics ?? before;
      return sights;
    },
    async look(release, sights, { now, evidence, wishes }, signal) {
      const seen = { blue: see('blue', release, sights, now), green: see('green', release, sights, now) };
      const traffic = sights.traffic?.kind === 'pending' ? undefined : sights.traffic;
      const probe = await prober(release, seen[release.candidate], now, signal);
      return {
        now,
        weights: traffic?.weights,
        writer: traffic?.kind === 'foreign' ? traffic.manager : undefined,
        pins: traffic?.pins ?? [],
        cannot: this.cannot,
        pending: pendingIn(sights.traffic),
        migration: await migrationSeen(ports, release, { emit, late, now }, signal),
        lanes: { ...seen, [release.candidate]: { ...seen[release.candidate], probe } },
        evidence,
        wishes,
      };
    },
  };
}

/** `late`: ports that did not answer in time when they were asked last. */
type Looking = { readonly emit: Emit; readonly late: Set<Port>; readonly now: Instant };

/** `before`: the counts of the look before, if failures since then are urgent. */
async function sight(
  ports: Platform,
  { before, ...looking }: Looking & { readonly before: MetricsSeen | undefined },
  signal: AbortSignal,
): Promise<Sights> {
  const { queue } = ports;
  const hurry = new AbortController();
  const ask = <T>(port: Port, question: (deadline: AbortSignal) => Promise<T>, within = signal) =>
    seen(port, looking, within, question);
  const counted = Promise.all([
    ask('metrics', (deadline) => ports.metrics.observe(deadline)),
    perLane(async (lane) =>
      queue === undefined ? undefined : ask('queue', (deadline) => queue.observe(lane, deadline)),
    ),
  ]);
  const slow = firstOf([signal, hurry.signal]);
  const placed = Promise.all([
    ask('traffic', (deadline) => ports.traffic.observe(deadline), slow),
    perLane((lane) => ask('workload', (deadline) => ports.workload.observe(lane, deadline), slow)),
  ]);
  const began = performance.now();
  const [metrics, queues] = await counted;
  const leftMs = looking.late.size > 0 ? 0 : Math.max(0, began + failuresMaxMs - performance.now());
  const waitMs = hasFailed(before, metrics) ? leftMs : afterCountsMs;
  const timer = setTimeout(() => hurry.abort(), waitMs);
  const [traffic, workloads] = await placed.finally(() => clearTimeout(timer));
  return { traffic, metrics, workloads, queues, late: looking.late.size > 0 };
}

function pendingIn(traffic: TrafficSeen | undefined): string | undefined {
  if (traffic === undefined) return 'the router does not answer';
  return traffic.kind === 'pending' ? traffic.why : undefined;
}

function hasFailed(before: MetricsSeen | undefined, now: MetricsSeen | undefined): boolean {
  const counts = before && now && difference(before, now);
  return counts !== undefined && lanes.some((lane) => counts[lane].weighted.failed + counts[lane].pinned.failed > 0);
}

async function seen<T>(
  port: Port,
  { emit, late, now }: Looking,
  signal: AbortSignal,
  question: (deadline: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const deadline = withDeadline(signal, late.has(port) ? lateMaxMs : lookMaxMs);
  try {
    const answer = await question(deadline);
    late.delete(port);
    return answer;
  } catch (error) {
    if (deadline.aborted) late.add(port);
    // Not seen is an outcome that the policy has a rule for; the person on call hears of it.
    emit({ kind: 'unseen', at: now, port, message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

/** Only where the candidate waits for it. */
async function migrationSeen(ports: Platform, release: Release, looking: Looking, signal: AbortSignal) {
  if (release.state.phase.kind !== 'closing' || release.plan.migrate === undefined) return undefined;
  const migration = migrationOf(release);
  return seen('workload', looking, signal, (deadline) => ports.migrations.observe(migration, deadline));
}

type Prober = (release: Release, lane: LaneLook, now: Instant, signal: AbortSignal) => Promise<LaneLook['probe']>;

/** The synthetic request of the start checks: asked until it passes once, for then the lane has shown that it answers end to end. */
function makeProber(ports: Platform, emit: Emit, late: Set<Port>): Prober {
  const passed = new Set<string>();
  return async (release, { workload }, now, signal) => {
    const { phase } = release.state;
    const isUp = workload?.revision === release.revision.id && workload.proxies.complete && workload.workers.complete;
    if (phase.kind !== 'starting' || !isUp) return 'not asked';
    const key = `${release.id} ${phase.since}`;
    if (passed.has(key)) return 'passed';
    const answer = await seen('workload', { emit, late, now }, signal, (deadline) =>
      ports.workload.probe(release.candidate, deadline),
    );
    const isOurs =
      answer?.kind === 'answered' && answer.lane === release.candidate && answer.revision === release.revision.id;
    if (!isOurs || answer.status >= 500) return 'failed';
    passed.add(key);
    return 'passed';
  };
}
