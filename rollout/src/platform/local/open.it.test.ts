import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Spec } from '../../spec.ts';
import { openLocalPlatform } from './open.ts';
import { stopSupervisor } from './supervisor/ensure.ts';

let state: string;
const signal = AbortSignal.timeout(60_000);

const service = { source: '.', replicas: 1, env: {}, manifests: undefined };
const spec: Spec = {
  app: 'ratings',
  services: {
    proxy: { ...service, port: 8080, pulls: [], probe: '/' },
    rating: { ...service, port: undefined, pulls: ['get.ratings'], probe: undefined },
  },
  queue: { url: 'nats://nats:4222', adopt: 'bind', existing: undefined },
  kubernetes: undefined,
  infra: {},
  frontend: undefined,
  baseImage: undefined,
  release: {
    strategy: 'canary',
    steps: [5],
    pins: [],
    bakeMs: 1,
    tolerate: 'default',
    latency: 'rollback',
    metrics: {},
    synthetic: undefined,
    deadlineMs: 1,
    atDeadline: 'hold',
    watchMs: 1,
    keepWarmMs: 1,
    onNewCommit: 'wait',
    approve: false,
    connectionGraceMs: 1,
    migrate: undefined,
  },
  perf: { msMax: { p50: 50, p95: 200, p99: 400 }, perSec: 1_000, tolerancePercent: 10, tolerance99Percent: 25 },
  approvers: [],
  webhook: undefined,
};

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'headgate-open-'));
});

afterAll(async () => {
  await stopSupervisor(state, signal);
  await rm(state, { recursive: true, force: true });
});

test('openLocalPlatform() starts all servers once and opens ports that answer', async () => {
  const lines: string[] = [];
  const opening = { state, signal, say: (line: string) => lines.push(line) };

  await using first = await openLocalPlatform(spec, opening);
  await using second = await openLocalPlatform(spec, opening);

  expect(lines.length).toBeGreaterThan(0);
  expect(await first.traffic.observe(signal)).toEqual({ kind: 'agreed', weights: { blue: 0, green: 0 }, pins: [] });
  expect(await first.workload.observe('blue', signal)).toEqual({
    revision: undefined,
    autoscaler: 'none',
    services: {},
  });
  expect((await first.metrics.observe(signal)).epoch).toBe((await second.metrics.observe(signal)).epoch);
  expect(await first.queue?.observe('green', signal)).toMatchObject({ messages: 0, sources: ['green'] });
  expect(await first.journal.read(signal)).toBeUndefined();
  expect(await first.send({ path: '/', headers: {} }, signal)).toMatchObject({ kind: 'answered', status: 503 });
});
