import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { readHead } from '../../engine/book.ts';
import { aPlatform, handsOn, isAt, quick } from '../../engine.rig.ts';
import { act } from '../../hands/act.ts';
import { startRelease } from '../../hands/release.ts';
import { type Instant, instant, type Lane } from '../../lane.ts';
import { testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import type { Platform } from '../../platform/platform.ts';
import { openMemoryQueue } from '../../queue/memory.ts';
import { orderOf } from '../../simulate/named.ts';
import { serveIdleUsage } from '../idle-usage.rig.ts';
import { type KubernetesRig, podRevision, startKubernetesRig } from '../kubernetes.rig.ts';
import type { Autoscaler } from './objects.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? describe.skip : describe;

withPods('with pods', () => {
  test('a real autoscaler that sees no load takes nothing of a candidate, of a warm lane, or of live while it adopts', async () => {
    await using rig = await startKubernetesRig();
    let busy: Lane | undefined = 'blue';
    await using _usage = await serveIdleUsage(
      rig.client,
      ({ metadata }) => metadata.labels?.['headgate.dev/lane'] === busy,
    );
    await using world = aPlatform();
    const queue = openMemoryQueue({ services: workers, now });
    for (const lane of ['blue', 'green'] as const) queue.park(lane, 'rating', 2);
    const ports = platformOver(rig, { ...world.ports, queue });
    const within = AbortSignal.timeout(200_000);
    const asking = { signal: within, pace: { restMs: 300, alertMs: 300, transitMs: 200 } };
    const slow = { ...quick, bakeMs: 600_000, keepWarmMs: 600_000 };
    const release = async (commit: string, spec = slow) =>
      startRelease(handsOn(ports, { ...asking, spec }), orderOf(await podRevision({ commit })));
    await release('a', quick);
    for (const lane of ['blue', 'green'] as const) await makeAutoscaler(rig, lane);
    await rig.until('blue', ({ services }) => services['rating']?.ready === 3);

    const second = release('b');
    await isAt(ports, 'holding');
    await says(rig, 'green', 'TooFewReplicas');
    expect(await sizeOf(rig, 'green')).toEqual({ replicas: 3, minimum: 3 });
    for (const lane of ['green', 'blue'] as const) {
      await write(rig, lane, { minReplicas: 1 }); // Their owner's own hand, or a tool of it.
      await isHeldAgain(rig, lane);
    }
    await says(rig, 'green', 'TooFewReplicas');
    expect(await sizeOf(rig, 'green')).toEqual({ replicas: 3, minimum: 3 });

    busy = 'green';
    await act(handsOn(ports, asking), 'promote', { release: 2, reason: 'good' });
    expect(await second).toMatchObject({ kind: 'ended', head: { live: 'green' } });
    await says(rig, 'blue', 'TooFewReplicas');
    expect(await sizeOf(rig, 'blue')).toEqual({ replicas: 3, minimum: 3 });
    await write(rig, 'blue', { maxReplicas: 4 });
    await says(rig, 'green', 'TooManyReplicas'); // Let go, and as large as its own bounds and its load make it.
    await rig.until('green', ({ services }) => services['rating']?.ready === 3);
    expect(await sizeOf(rig, 'green')).toEqual({ replicas: 3, minimum: 1 });

    const third = release('c');
    await isAt(ports, 'holding');
    queue.publish('blue', { id: 'one', subject: 'get.ratings' });
    busy = undefined;
    const back = act(handsOn(ports, asking), 'rollback', { release: 3, reason: 'bad' });
    await says(rig, 'green', 'TooFewReplicas');
    expect((await readHead(ports.journal, 'test', within)).release?.state.phase).toMatchObject({
      kind: 'rollingBack',
      stage: 'draining',
    });
    expect(await sizeOf(rig, 'green')).toEqual({ replicas: 3, minimum: 3 });

    // Live's worker does what the candidate left, and is let go: then there is nothing to hold the autoscaler back.
    const left = queue.take('blue', 'rating');
    expect(left).toMatchObject({ id: 'one' });
    if (left !== undefined) queue.settle(left, 'ack');
    await Promise.all([third, back]);
    await rig.until('green', ({ services }) => services['rating']?.present === 1);
    expect(await sizeOf(rig, 'green')).toEqual({ replicas: 1, minimum: 1 });
    expect((await autoscalerOf(rig, 'blue')).spec).toMatchObject({ minReplicas: 1, maxReplicas: 4 });
  }, 240_000);
});

const workers = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };

function now(): Instant {
  return instant(Date.now());
}

/** Lanes of real pods; router, counts, queue and journal are in memory. */
function platformOver(rig: KubernetesRig, ports: Platform): Platform {
  let driver = 0;
  return {
    ...ports,
    workload: rig.open({ fence: () => driver }),
    setFence(number) {
      driver = number;
    },
  };
}

async function makeAutoscaler({ client }: KubernetesRig, lane: Lane): Promise<void> {
  const name = `ratings-${lane}-rating`;
  const cpu = { name: 'cpu', target: { type: 'AverageValue', averageValue: '100m' } };
  const spec = {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    minReplicas: 1,
    maxReplicas: 3,
    metrics: [{ type: 'Resource', resource: cpu }],
    behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
  };
  await client.create(kinds.HorizontalPodAutoscaler, { metadata: { name }, spec } as Autoscaler, signal());
}

type Scaled = Autoscaler & {
  readonly status?: { readonly conditions?: readonly { readonly type?: string; readonly reason?: string }[] };
};

/** Until the lane's autoscaler says this of the number that it would have chosen. */
async function says(rig: KubernetesRig, lane: Lane, reason: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; await sleep(500)) {
    const { status } = await autoscalerOf(rig, lane);
    if (status?.conditions?.some((condition) => condition.reason === reason)) return;
    if (Date.now() > end) throw new Error(`it never said ${reason}: ${JSON.stringify(status)}`);
  }
}

async function write({ client }: KubernetesRig, lane: Lane, bounds: Partial<Autoscaler['spec']>): Promise<void> {
  await client.merge(kinds.HorizontalPodAutoscaler, `ratings-${lane}-rating`, { spec: bounds }, signal());
}

async function isHeldAgain(rig: KubernetesRig, lane: Lane): Promise<void> {
  for (const within = signal(); (await autoscalerOf(rig, lane)).spec.minReplicas !== 3; )
    await sleep(50, undefined, { signal: within });
}

async function autoscalerOf({ client }: KubernetesRig, lane: Lane): Promise<Scaled> {
  const found = await client.get<Scaled>(kinds.HorizontalPodAutoscaler, `ratings-${lane}-rating`, signal());
  if (found === undefined) throw new Error(`lane ${lane} has no autoscaler`);
  return found;
}

async function sizeOf(rig: KubernetesRig, lane: Lane): Promise<unknown> {
  return {
    replicas: (await rig.deployment(lane, 'rating')).spec.replicas,
    minimum: (await autoscalerOf(rig, lane)).spec.minReplicas,
  };
}
