import { readHead } from './engine/book.ts';
import type { Hands } from './hands/hands.ts';
import { openMemoryJournal } from './journal/memory.ts';
import { type Instant, instant, type Lane } from './lane.ts';
import { openMemoryMetrics } from './metrics/memory.ts';
import { openMemoryMigrations } from './migration/memory.ts';
import type { Platform } from './platform/platform.ts';
import { openMemoryQueue } from './queue/memory.ts';
import { aSpec, orderOf, revisionNamed } from './simulate/named.ts';
import type { ReleaseSpec } from './spec.ts';
import { openMemoryTraffic } from './traffic/memory.ts';
import { openMemoryWorkload } from './workload/memory.ts';

/** All ports in memory, with users that send requests by the weights while somebody drives, `perSec` of them. */
export function aPlatform(perSec = 20_000) {
  const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };
  const traffic = openMemoryTraffic();
  const metrics = openMemoryMetrics();
  const workload = openMemoryWorkload();
  const unmigrated = new Set<string>();
  const migrations = openMemoryMigrations(({ command }) => [...unmigrated].find((words) => command.includes(words)));
  const queue = openMemoryQueue({ services, now });
  for (const lane of ['blue', 'green'] as const) queue.park(lane, 'rating', 2);
  const failing = new Set<Lane>();
  let due = 0;
  const users = setInterval(() => {
    for (due += perSec / 50; due >= 1; due--) {
      const lane = traffic.route({});
      if (lane !== undefined) metrics.count(lane, 'weighted', failing.has(lane) ? 'failed' : 'passed');
    }
  }, 20);
  const ports: Platform = {
    traffic,
    metrics,
    processes: undefined,
    workload,
    migrations,
    queue,
    ...openMemoryJournal(),
    herald: undefined,
    setFence() {},
    async send({ headers }) {
      const lane = traffic.route(Object.fromEntries(Object.entries(headers).map(([n, v]) => [n.toLowerCase(), v])));
      if (lane === undefined) return { kind: 'unanswered', why: 'nobody is there' };
      metrics.count(lane, 'pinned', failing.has(lane) ? 'failed' : 'passed');
      return { kind: 'answered', status: failing.has(lane) ? 500 : 200, lane, revision: undefined };
    },
    async [Symbol.asyncDispose]() {
      clearInterval(users);
    },
  };
  return {
    ports,
    traffic,
    metrics,
    workload,
    migrations,
    unmigrated,
    failing,
    [Symbol.asyncDispose]: async () => clearInterval(users),
  };
}

function now(): Instant {
  return instant(Date.now());
}

export const quick: ReleaseSpec = { ...aSpec, bakeMs: 300, watchMs: 300, keepWarmMs: 100_000 };

type Rest = Omit<Partial<Hands>, 'spec'> & { readonly spec?: ReleaseSpec; readonly driver?: 'controller' };

export function handsOn(ports: Platform, { spec = quick, driver, ...rest }: Rest = {}): Hands {
  return {
    ports,
    spec: {
      app: 'test',
      services: {},
      queue: undefined,
      kubernetes: driver && {
        namespace: 'test',
        traffic: {
          kind: 'gateway-api',
          route: 'test',
          replicas: { namespace: 'test', service: 'test', listener: 'web', metrics: 'metrics' },
        },
        driver,
      },
      infra: {},
      frontend: undefined,
      baseImage: undefined,
      release: spec,
      perf: { msMax: { p50: 50, p95: 200, p99: 400 }, perSec: 1_000, tolerancePercent: 10, tolerance99Percent: 25 },
      approvers: [],
      webhook: undefined,
    },
    open: async () => ({ ...ports, [Symbol.asyncDispose]: async () => {} }),
    actor: 'kim@desk',
    emit: () => {},
    say: () => {},
    signal: new AbortController().signal,
    pace: { restMs: 30, alertMs: 20, transitMs: 10 },
    ...rest,
  };
}

export async function isAt(ports: Platform, kind: string): Promise<void> {
  for (;;) {
    const { release } = await readHead(ports.journal, 'test', AbortSignal.timeout(1_000));
    if (release?.state.phase.kind === kind) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function isOpen(ports: Platform, lane: Lane, share: number): Promise<void> {
  for (;;) {
    const seen = await ports.traffic.observe(AbortSignal.timeout(1_000));
    if (seen.kind === 'agreed' && seen.weights[lane] === share) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function aRequest(name: string) {
  const named = revisionNamed(name);
  const revision = {
    ...named,
    digests: { proxy: `sha256:${name}`, rating: `sha256:${name}` },
  } as unknown as typeof named;
  return orderOf(revision);
}
