import type { Instant } from '../lane.ts';
import type { Instances, LaneLook, QueueLook, WorkloadLook } from '../policy/look.ts';
import type { Release } from '../policy/release.ts';
import type { LaneQueueSeen } from '../queue/queue.ts';
import { dead, donePerSec, drained } from '../queue/seen.ts';
import type { LaneSeen, ServiceSeen } from '../workload/workload.ts';

/** What one driver remembers of a lane between two looks. */
export type LaneMemory = {
  readonly downSince: Instant | undefined;
  /** When it was last seen without a ready proxy or a live worker. */
  readonly downAt: Instant | undefined;
  readonly before: LaneQueueSeen | undefined;
  readonly queue: LaneQueueSeen | undefined;
  readonly queueAt: Instant | undefined;
  /** As it was when it was last seen to work. */
  readonly donePerSec: number | undefined;
  /** When a consumer last got or acked a message, or somebody waited for one. */
  readonly progressAt: Instant | undefined;
};

/** A consumer that has seen neither a pull nor an ack for so long while messages wait has no live worker. */
const stalledMs = 10_000;
/** Of a line of a log: the journal keeps it. */
const lineMaxChars = 200;
/** Lanes that come back together, as with the node that they share, do not come back at one moment: the first is no better than the other. */
const backAfterMs = 1_000;

export function newLaneMemory(): LaneMemory {
  return {
    downSince: undefined,
    downAt: undefined,
    before: undefined,
    queue: undefined,
    queueAt: undefined,
    donePerSec: undefined,
    progressAt: undefined,
  };
}

/** Remembers two queue sights in a row; sights of different epochs are not compared. */
export function withQueue(memory: LaneMemory, seen: LaneQueueSeen | undefined, now: Instant): LaneMemory {
  const before = memory.queue?.epoch === seen?.epoch ? memory.queue : undefined;
  const progress = seen === undefined || before === undefined || seen.messages === 0 || hasMoved(before, seen);
  const rate =
    before === undefined || seen === undefined ? undefined : donePerSec(before, seen, now - (memory.queueAt ?? now));
  return {
    ...memory,
    before,
    queue: seen,
    queueAt: now,
    donePerSec: rate ?? memory.donePerSec,
    progressAt: progress ? now : memory.progressAt,
  };
}

function hasMoved(before: LaneQueueSeen, seen: LaneQueueSeen): boolean {
  return Object.entries(seen.consumers).every(([service, consumer]) => {
    const last = before.consumers[service];
    if (last === undefined || consumer.waiting > 0 || consumer.pending + consumer.ackPending === 0) return true;
    return (
      consumer.deliveredConsumerSeq > last.deliveredConsumerSeq || consumer.ackFloorStreamSeq > last.ackFloorStreamSeq
    );
  });
}

export function isStalled(memory: LaneMemory, now: Instant): boolean {
  return memory.queue !== undefined && memory.progressAt !== undefined && now - memory.progressAt >= stalledMs;
}

/** A lane in the policy's words, and what to remember of it. */
export function laneLook(
  release: Release,
  seen: LaneSeen | undefined,
  memory: LaneMemory,
  stalled: boolean,
  now: Instant,
): [LaneLook, LaneMemory] {
  const workload = seen === undefined ? undefined : workloadLook(release, seen);
  const isDown =
    seen !== undefined && (stalled || hasNone(release.plan.proxies, seen) || hasNone(release.plan.workers, seen));
  const downSince = seen === undefined || !isDown ? undefined : (memory.downSince ?? now);
  const downMs = downSince === undefined ? 0 : Math.max(1, now - downSince);
  const downAt = isDown ? now : memory.downAt;
  const stands = !isDown && (downAt === undefined || now - downAt >= backAfterMs);
  return [
    { workload, queue: queueLook(memory), downMs, stands, probe: 'not asked' },
    { ...memory, downSince, downAt },
  ];
}

function hasNone(sizes: Readonly<Record<string, number>>, seen: LaneSeen): boolean {
  return Object.keys(sizes).some((name) => (seen.services[name]?.ready ?? 0) === 0);
}

function workloadLook(release: Release, seen: LaneSeen): WorkloadLook {
  const failed = Object.entries(seen.services).find(([, { failure }]) => failure !== undefined);
  const failure = failed?.[1].failure;
  return {
    revision: seen.revision,
    proxies: instances(release.plan.proxies, seen),
    workers: instances(release.plan.workers, seen),
    ready: Object.fromEntries(Object.entries(seen.services).map(([name, { ready }]) => [name, ready])),
    autoscaler: seen.autoscaler,
    labels: seen.labels,
    failure:
      failed === undefined || failure === undefined ? undefined : `${failed[0]}: ${failure.reason}: ${failure.message}`,
    logLines: failure?.logLines.map((line) => line.slice(0, lineMaxChars)),
  };
}

function instances(sizes: Readonly<Record<string, number>>, seen: LaneSeen): Instances {
  const names = Object.keys(sizes);
  const of = (name: string): ServiceSeen =>
    seen.services[name] ?? { wanted: 0, ready: 0, present: 0, stale: 0, failure: undefined };
  return {
    ready: names.reduce((sum, name) => sum + of(name).ready, 0),
    present: names.reduce((sum, name) => sum + of(name).present, 0),
    complete: names.every(
      (name) => of(name).stale === 0 && of(name).ready >= (sizes[name] ?? 0) && of(name).wanted > 0,
    ),
  };
}

function queueLook({ before, queue, donePerSec: rate }: LaneMemory): QueueLook | undefined {
  if (queue === undefined) return undefined;
  const consumers = Object.values(queue.consumers);
  return {
    messages: queue.messages,
    lastSeq: queue.lastSeq,
    waiting: consumers.every(({ waiting }) => waiting > 0),
    fencedMs: Math.max(0, ...consumers.map(({ fencedMs }) => fencedMs)),
    sources: queue.sources,
    drained: before !== undefined && drained(before, queue),
    dead: before === undefined ? 0 : dead(before, queue),
    deliveredStreamSeq: Math.max(0, ...consumers.map(({ deliveredStreamSeq }) => deliveredStreamSeq)),
    donePerSec: rate,
    ackWaitMs: Math.max(0, ...consumers.map(({ ackWaitMs }) => ackWaitMs)),
  };
}
