import { type Lane, lanes } from '../lane.ts';
import type { LaneLabels } from '../policy/look.ts';
import type { Revision } from '../revision.ts';
import type { Failure, LaneSeen, ProbeAnswer, ServiceSeen, Workload } from './workload.ts';

export type MemoryWorkloadOptions = {
  /** Why instances of a service with this digest do not come up; `undefined` for a sound one. */
  readonly failureOf?: (digest: string) => Failure | undefined;
};

export interface MemoryWorkload extends Workload {
  /** Ends the ready instances of a service, as a crash in the midst of its work would. */
  crash(lane: Lane, service: string, failure: Failure): void;
}

type LaneState = {
  revision: Revision | undefined;
  labels: LaneLabels;
  /** What its workers have instead. */
  lent: Revision | undefined;
  readonly replicas: Map<string, number>;
  readonly failures: Map<string, Failure>;
};

/** Lanes without processes: whatever is asked for is there at once, or fails at once. */
export function openMemoryWorkload({ failureOf = () => undefined }: MemoryWorkloadOptions = {}): MemoryWorkload {
  const newLane = (): LaneState => ({
    revision: undefined,
    lent: undefined,
    labels: { role: undefined, release: undefined },
    replicas: new Map(),
    failures: new Map(),
  });
  const states = new Map(lanes.map((lane): [Lane, LaneState] => [lane, newLane()]));
  const of = (lane: Lane) => states.get(lane) ?? newLane();
  return {
    async setRevision(lane, revision, signal) {
      signal.throwIfAborted();
      const state = of(lane);
      if (state.revision?.id !== revision.id) state.failures.clear();
      state.revision = revision;
      state.lent = undefined;
      startAll(state, failureOf);
    },
    async setWorkers(lane, revision, signal) {
      signal.throwIfAborted();
      const state = of(lane);
      state.lent = revision;
      for (const [service, { port }] of Object.entries(revision.template.services))
        if (port === undefined) state.failures.delete(service);
    },
    async scale(lane, replicas, signal) {
      signal.throwIfAborted();
      const state = of(lane);
      for (const [service, n] of Object.entries(replicas)) {
        const before = state.replicas.get(service) ?? 0;
        if (before === 0) state.failures.delete(service);
        state.replicas.set(service, n === 0 ? 0 : Math.max(n, before));
      }
      startAll(state, failureOf);
    },
    async keep(_lane, _replicas, signal) {
      signal.throwIfAborted(); // No autoscalers here.
    },
    async letGo(_lane, signal) {
      signal.throwIfAborted();
    },
    async closeConnections(_lane, _olderThanMs, signal) {
      signal.throwIfAborted(); // Nobody connects.
    },
    async label(lane, labels, signal) {
      signal.throwIfAborted();
      of(lane).labels = labels;
    },
    async observe(lane, signal) {
      signal.throwIfAborted();
      return observe(of(lane));
    },
    async probe(lane, signal) {
      signal.throwIfAborted();
      return probe(lane, of(lane));
    },
    crash(lane, service, failure) {
      of(lane).failures.set(service, failure);
    },
  };
}

function startAll(
  { revision, lent, replicas, failures }: LaneState,
  failureOf: (digest: string) => Failure | undefined,
): void {
  for (const [service, digest] of Object.entries({ ...revision?.digests, ...workerDigests(lent) })) {
    const failure = failureOf(digest);
    if (failure !== undefined && (replicas.get(service) ?? 0) > 0) failures.set(service, failure);
  }
}

function workerDigests(lent: Revision | undefined): Readonly<Record<string, string>> {
  const workers = Object.entries(lent?.digests ?? {}).filter(
    ([name]) => lent?.template.services[name]?.port === undefined,
  );
  return Object.fromEntries(workers);
}

function observe({ revision, lent, labels, replicas, failures }: LaneState): LaneSeen {
  const services = Object.keys(revision?.template.services ?? {}).map((service): [string, ServiceSeen] => {
    const wanted = replicas.get(service) ?? 0;
    const failure = failures.get(service);
    const ready = failure === undefined ? wanted : 0;
    return [service, { wanted, ready, present: ready, stale: 0, failure }];
  });
  return {
    revision: lent === undefined ? revision?.id : undefined,
    autoscaler: 'none',
    labels,
    services: Object.fromEntries(services),
  };
}

function probe(lane: Lane, state: LaneState): ProbeAnswer {
  const [service] =
    Object.entries(state.revision?.template.services ?? {}).find(([, each]) => each.probe !== undefined) ?? [];
  const ready = service === undefined ? 0 : (observe(state).services[service]?.ready ?? 0);
  return ready > 0
    ? { kind: 'answered', status: 200, lane, revision: state.revision?.id }
    : { kind: 'unanswered', why: `no proxy of lane ${lane} is ready` };
}
