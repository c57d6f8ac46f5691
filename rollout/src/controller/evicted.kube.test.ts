import { expect, test } from '@jest/globals';
import { startRelease } from '../hands/release.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { evict } from '../workload/evict.rig.ts';
import { openApp } from './app.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

withPods(
  'a candidate whose only proxy is evicted and cannot be replaced goes back with a reason; weight is 0, and live is not touched',
  async () => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 2s\n', 'cli');
    const { client, hands } = app;
    await startRelease(hands, await app.version('v1'));
    const before = await app.generations();
    const releasing = startRelease(hands, await app.version('v2'));
    await app.isHolding('v2');
    const full = { metadata: { name: 'full' }, spec: { hard: { pods: '1' } } };
    await client.create<KubeObject>(kinds.ResourceQuota, full, hands.signal);
    const [pod] = (await client.list(kinds.Pod, { labels: 'headgate.dev/lane=green' }, hands.signal)).items;

    expect(await evict(client, pod!.metadata.name)).toBe(201);

    const { head } = (await releasing) as { readonly head?: unknown };
    expect(head).toMatchObject({ live: 'blue', history: [{ outcome: 'promoted' }, { outcome: 'rolledBack' }] });
    const reason = (await app.head()).history.at(-1)?.text;
    // Readiness or users' answers: whichever is seen first.
    expect(reason).toMatch(/lost its last ready proxy|fewer requests than its weight sends|worse than tolerated/);
    expect(await hands.ports.traffic.observe(hands.signal)).toMatchObject({ weights: { blue: 100, green: 0 } });
    expect((await app.generations()).blue).toBe(before.blue);
  },
  180_000,
);
