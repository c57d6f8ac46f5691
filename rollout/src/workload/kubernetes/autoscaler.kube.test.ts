import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { serveIdleUsage } from '../idle-usage.rig.ts';
import { type KubernetesRig, podRevision, startKubernetesRig } from '../kubernetes.rig.ts';
import type { Autoscaler } from './objects.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? describe.skip : describe;

withPods('with pods', () => {
  test('an autoscaler is raised with its lane, takes nothing away, and gets its bounds back', async () => {
    await using rig = await startKubernetesRig();
    const bounds = async () => {
      const { spec } = (await rig.client.get<Autoscaler>(kinds.HorizontalPodAutoscaler, 'mine', signal()))!;
      return [spec.minReplicas, spec.maxReplicas];
    };
    await makeAutoscaler(rig, { maxReplicas: 2, target: { type: 'Utilization', averageUtilization: 50 } });
    await rig.workload.setRevision('blue', await podRevision(), signal());

    await rig.workload.scale('blue', { rating: 3 }, signal());
    await rig.workload.scale('blue', { rating: 2 }, signal());
    expect(await bounds()).toEqual([3, 3]);
    await rig.until('blue', ({ services }) => services['rating']?.ready === 3);
    const { metadata } = await rig.deployment('blue', 'rating');
    await rig.workload.keep('blue', { rating: 3 }, signal());
    expect((await rig.deployment('blue', 'rating')).metadata.generation).toBe(metadata.generation);

    await rig.workload.letGo('blue', signal());
    expect(await bounds()).toEqual([1, 2]);
    await rig.workload.keep('blue', { rating: 3 }, signal());
    expect(await bounds()).toEqual([3, 3]);
    await rig.workload.letGo('blue', signal());
    await rig.workload.keep('blue', { rating: 1 }, signal()); // As its owner has it already: held, or it is asked for at each look.
    expect(await rig.workload.observe('blue', signal())).toMatchObject({ autoscaler: 'held' });
    expect(await bounds()).toEqual([1, 2]);
    await rig.workload.letGo('blue', signal());
    expect(await rig.workload.observe('blue', signal())).toMatchObject({ autoscaler: 'free' });
    await rig.workload.scale('blue', { rating: 3 }, signal());
    await rig.workload.scale('blue', { rating: 0 }, signal());
    expect(await bounds()).toEqual([1, 2]);
  });

  test('what its owner writes while it is held stays its own, and a minimum that is lowered is raised again', async () => {
    await using rig = await startKubernetesRig();
    const write = (change: object) => rig.client.merge(kinds.HorizontalPodAutoscaler, 'mine', change, signal());
    const seen = async () => {
      const { spec } = (await rig.client.get<Autoscaler>(kinds.HorizontalPodAutoscaler, 'mine', signal()))!;
      return [(await rig.workload.observe('blue', signal())).autoscaler, spec.minReplicas, spec.maxReplicas];
    };
    await makeAutoscaler(rig, { maxReplicas: 2, target: { type: 'Utilization', averageUtilization: 50 } });
    await rig.workload.setRevision('blue', await podRevision(), signal());

    await rig.workload.scale('blue', { rating: 3 }, signal());
    await write({ spec: { minReplicas: 1 } }); // As a GitOps tool does.
    expect(await seen()).toEqual(['lowered', 1, 3]);
    await rig.workload.scale('blue', { rating: 3 }, signal());
    expect(await seen()).toEqual(['held', 3, 3]);
    await write({ spec: { maxReplicas: 20 } }); // As a person does during an incident.
    await rig.workload.scale('blue', { rating: 4 }, signal());
    expect(await seen()).toEqual(['held', 4, 20]);
    await rig.workload.letGo('blue', signal());
    expect(await seen()).toEqual(['free', 1, 20]);

    await rig.workload.keep('blue', { rating: 4 }, signal());
    await write({ spec: { minReplicas: 2, maxReplicas: 8 } });
    await rig.workload.letGo('blue', signal());
    expect(await seen()).toEqual(['free', 2, 8]);

    // Of a Headgate that wrote only what it was before.
    await write({
      metadata: { annotations: { 'headgate.dev/autoscale': '1-2' } },
      spec: { minReplicas: 3, maxReplicas: 3 },
    });
    expect(await seen()).toEqual(['held', 3, 3]);
    await rig.workload.letGo('blue', signal());
    expect(await seen()).toEqual(['free', 1, 2]);
  });

  test('an autoscaler that sees no load shrinks a lane only once it is let go', async () => {
    await using rig = await startKubernetesRig();
    await using _usage = await serveIdleUsage(rig.client);
    await makeAutoscaler(rig, { maxReplicas: 4, target: { type: 'AverageValue', averageValue: '100m' } });
    await rig.workload.setRevision('blue', await podRevision(), signal());
    await rig.workload.scale('blue', { rating: 3 }, signal());
    await rig.until('blue', ({ services }) => services['rating']?.ready === 3);
    await untilHeldBack(rig);

    expect((await rig.deployment('blue', 'rating')).spec.replicas).toBe(3);
    await rig.workload.letGo('blue', signal());
    await rig.until('blue', ({ services }) => services['rating']?.present === 1);
  }, 180_000);
});

/** Of the workers of lane blue, by their CPU; it shrinks them as soon as it sees no load. */
async function makeAutoscaler(
  { client }: KubernetesRig,
  { maxReplicas, target }: { readonly maxReplicas: number; readonly target: object },
): Promise<void> {
  const spec = {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'ratings-blue-rating' },
    minReplicas: 1,
    maxReplicas,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
    behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
  };
  await client.create(kinds.HorizontalPodAutoscaler, { metadata: { name: 'mine' }, spec } as Autoscaler, signal());
}

/** Until the autoscaler says that it would have taken pods away. */
async function untilHeldBack({ client }: KubernetesRig): Promise<void> {
  for (const end = Date.now() + 90_000; ; await sleep(500)) {
    const mine = await client.get<Scaled>(kinds.HorizontalPodAutoscaler, 'mine', signal());
    if (mine?.status?.conditions?.some(({ reason }) => reason === 'TooFewReplicas')) return;
    if (Date.now() > end) throw new Error(`it never wanted fewer: ${JSON.stringify(mine?.status)}`);
  }
}

type Scaled = Autoscaler & { readonly status?: { readonly conditions?: readonly { readonly reason?: string }[] } };
