import { describe, expect, test } from '@jest/globals';
import { firstOf } from '../../deadline.ts';
import type { KubeObject } from '../../platform/kubernetes/client.ts';
import { testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { evict } from '../evict.rig.ts';
import { type KubernetesRig, podRevision, startKubernetesRig } from '../kubernetes.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(40_000);
const budget = 'ratings-blue-rating';

type Budget = KubeObject & {
  readonly status?: { readonly currentHealthy?: number; readonly disruptionsAllowed?: number };
};

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? describe.skip : describe;

withPods('with pods', () => {
  test('what a PodDisruptionBudget refuses stays refused, and neither a smaller size nor a new revision takes a pod past it', async () => {
    await using rig = await startKubernetesRig();
    const spec = { minAvailable: 2, maxUnavailable: null };
    await rig.client.merge(kinds.PodDisruptionBudget, budget, { spec }, signal());
    await rig.workload.setRevision('blue', await podRevision({ commit: 'a' }), signal());
    await rig.workload.scale('blue', { rating: 2 }, signal());
    await rig.until('blue', ({ services }) => services['rating']?.ready === 2);
    await settledBudget(rig);
    const before = await pods(rig);

    expect(await evict(rig.client, before[0]!)).toBe(429);
    await rig.workload.scale('blue', { rating: 1 }, signal());
    expect(await evict(rig.client, before[1]!)).toBe(429);
    expect(await pods(rig)).toEqual(before);

    await using healthy = watchHealthy(rig);
    const next = await podRevision({ commit: 'b' });
    await rig.workload.setRevision('blue', next, signal());
    await rig.until('blue', ({ revision, services }) => {
      const rating = services['rating'];
      return revision === next.id && rating?.ready === 2 && rating.present === 2;
    });
    await settledBudget(rig);
    const after = await pods(rig);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    expect(healthy.seen.length).toBeGreaterThan(0);
    expect(Math.min(...healthy.seen)).toBeGreaterThanOrEqual(2);
    expect(await evict(rig.client, after[0]!)).toBe(429);
  }, 120_000);
});

async function pods(rig: KubernetesRig): Promise<readonly string[]> {
  const { items } = await rig.client.list(kinds.Pod, { labels: 'headgate.dev/service=rating' }, signal());
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata.name);
}

/** Until the budget has counted the two pods and lets none go. */
async function settledBudget({ client }: KubernetesRig): Promise<void> {
  const changes = client.watch<Budget>(kinds.PodDisruptionBudget, { name: budget }, signal());
  for await (const change of changes) {
    const objects = change.kind === 'all' ? change.objects : change.kind === 'set' ? [change.object] : [];
    if (objects.some(({ status }) => status?.currentHealthy === 2 && status.disruptionsAllowed === 0)) return;
  }
  throw new Error('the budget never counted two pods');
}

/** How many pods the budget counts as healthy, at each change. */
function watchHealthy({ client }: KubernetesRig): AsyncDisposable & { readonly seen: readonly number[] } {
  const stop = new AbortController();
  const seen: number[] = [];
  const watching = (async () => {
    const within = firstOf([stop.signal, signal()]);
    for await (const change of client.watch<Budget>(kinds.PodDisruptionBudget, { name: budget }, within))
      if (change.kind === 'set') seen.push(change.object.status?.currentHealthy ?? 0);
  })();
  return {
    seen,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
    },
  };
}
