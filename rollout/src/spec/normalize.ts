/** Third step: what was left out gets its default, and the parts get the shape that the rest of Headgate knows. */
import { invariant } from '../errors.ts';
import type {
  KubernetesSpec,
  LatencyPart,
  QueueSpec,
  ReleaseSpec,
  ServiceSpec,
  Spec,
  Strategy,
  SyntheticSpec,
} from '../spec.ts';
import { normalizeMetric } from './metrics.ts';
import type { WrittenRelease, WrittenService, WrittenSpec } from './parse.ts';
import { normalizePerf } from './perf.ts';

/** What a release does that says nothing. */
export const defaults = {
  strategy: 'canary',
  bakeMs: 3 * 60_000,
  tolerate: 'default',
  deadlineMs: 2 * 3_600_000,
  atDeadline: 'hold',
  watchMs: 10 * 60_000,
  keepWarmMs: 30 * 60_000,
  onNewCommit: 'wait',
  approve: false,
  connectionGraceMs: 10_000,
} as const satisfies Partial<ReleaseSpec>;

/** Of synthetic requests, to each lane. */
const defaultPerSec = 10;

/** Whole percent of the candidate before promotion. */
export function defaultSteps(strategy: Strategy): readonly number[] {
  return strategy === 'canary' ? [5, 25, 50] : [];
}

/** Only for a spec in which nothing was found wrong. */
export function normalize(written: WrittenSpec): Spec {
  const { app, services, queue, kubernetes, infra, frontend, image, release, perf, approvers, notify } = written;
  return {
    app: proved(app),
    services: Object.fromEntries([...proved(services)].map(([name, service]) => [name, normalizeService(service)])),
    queue: queue && normalizeQueue(queue),
    kubernetes: kubernetes && normalizeKubernetes(kubernetes),
    infra: Object.fromEntries(
      [...(infra ?? [])].map(([name, { manifests, namespace }]) => [name, { manifests: proved(manifests), namespace }]),
    ),
    frontend: frontend?.manifests,
    baseImage: image && proved(image.base),
    release: normalizeRelease(release ?? {}, defaultLatency(kubernetes !== undefined)),
    perf: normalizePerf(perf ?? {}),
    approvers: (approvers ?? []).map(proved),
    webhook: notify?.webhook,
  };
}

function normalizeService({ source, port, replicas, env, pulls, probe, manifests }: WrittenService): ServiceSpec {
  return {
    source: proved(source),
    port,
    replicas: replicas ?? 1,
    env: Object.fromEntries(env ?? []),
    pulls: (pulls ?? []).map(proved),
    probe: port === undefined ? undefined : (probe ?? '/'),
    manifests,
  };
}

function normalizeQueue({ jetstream, adopt, existing }: NonNullable<WrittenSpec['queue']>): QueueSpec {
  return {
    url: proved(jetstream),
    adopt: adopt ?? 'bind',
    existing: existing && {
      stream: proved(existing.stream),
      consumers: Object.fromEntries(proved(existing.consumers)),
    },
  };
}

function normalizeKubernetes(written: NonNullable<WrittenSpec['kubernetes']>): KubernetesSpec {
  const { namespace, traffic, driver } = written;
  const replicas = traffic?.replicas;
  const kind = traffic?.['gateway-api'] === undefined ? 'ingress-nginx' : 'gateway-api';
  return {
    namespace: proved(namespace),
    traffic: {
      kind,
      route: proved(traffic?.[kind]?.route),
      replicas: {
        namespace: replicas?.namespace ?? proved(namespace),
        service: proved(replicas?.service),
        listener: replicas?.listener ?? 'web',
        metrics: replicas?.metrics,
      },
    },
    driver: driver ?? 'controller',
  };
}

/**
 * On one machine the lanes, the servers and the load share a few cores: latencies come in clusters, which the judge
 * answers with patience, and a promotion could wait for them for hours.
 */
function defaultLatency(isCluster: boolean): LatencyPart {
  return isCluster ? 'promote' : 'rollback';
}

function normalizeRelease(
  { steps, pins, bake, deadline, watch, keepWarm, ...written }: WrittenRelease,
  latency: LatencyPart,
): ReleaseSpec {
  const strategy = written.strategy ?? defaults.strategy;
  const tolerate = written.tolerate ?? defaults.tolerate;
  return {
    strategy,
    steps: steps?.map(proved) ?? defaultSteps(strategy),
    pins: (pins ?? []).map(proved),
    bakeMs: bake ?? defaults.bakeMs,
    tolerate,
    latency: written.latency ?? latency,
    metrics: Object.fromEntries(
      [...(written.metrics ?? [])].map(([name, metric]) => [name, normalizeMetric(metric, tolerate)]),
    ),
    synthetic: normalizeSynthetic(written.synthetic),
    deadlineMs: deadline ?? defaults.deadlineMs,
    atDeadline: written.atDeadline ?? defaults.atDeadline,
    watchMs: watch ?? defaults.watchMs,
    keepWarmMs: keepWarm ?? defaults.keepWarmMs,
    onNewCommit: written.onNewCommit ?? defaults.onNewCommit,
    approve: written.approve ?? defaults.approve,
    connectionGraceMs: written.connectionGrace ?? defaults.connectionGraceMs,
    migrate: written.migrate && {
      image: proved(written.migrate.image),
      command: proved(written.migrate.command).map(proved),
    },
  };
}

function normalizeSynthetic(written: WrittenRelease['synthetic']): SyntheticSpec | undefined {
  if (written === undefined) return undefined;
  return { requests: proved(written.requests).map(proved), perSec: written.perSecond ?? defaultPerSec };
}

/** A part whose absence was already an issue. */
function proved<T>(part: T | undefined): T {
  invariant(part !== undefined, 'Cannot normalize a spec as it has parts that nobody could read');
  return part;
}
