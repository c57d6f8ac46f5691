import { expect, test } from '@jest/globals';
import { act } from '../hands/act.ts';
import type { Hands } from '../hands/hands.ts';
import { restore, startRelease } from '../hands/release.ts';
import type { Lane } from '../lane.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import type { Command, Head } from '../policy/release.ts';
import type { ReleaseSpec } from '../spec.ts';
import { settled } from '../traffic/sending.rig.ts';
import { type ClusterApp, openApp, outcomesOf, versionOf } from './app.rig.ts';
import { controllerOf } from './process.rig.ts';
import { until } from './until.rig.ts';

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

withPods(
  'a release that comes in the watch waits for its end, takes the warm lane and says that the fast way back ends; a hotfix in the watch gives the former version 100 % first, and goes into the lane of the bad one, told what it shares with it',
  async () => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 5s\n  keepWarm: 5m\n');
    await using _ = await controllerOf(app.namespace);
    const { said, hands } = listening(app);
    const v3 = await app.version('v3', { CACHE: 'on' });
    await startRelease(hands, await app.version('v1'));
    const second = startRelease(hands, await app.version('v2'));
    await promote(app, 'v2');
    await app.isAt('v2', 'watching');

    const third = startRelease(withSpec(hands, { watchMs: 60_000, keepWarmMs: 60_000 }), v3);
    await app.isWaiting('v3');
    const inWatch = await app.head();
    await second;
    await app.isHolding('v3');

    const begun = await app.head();
    expect(inWatch).toMatchObject({ live: 'green', release: { id: 2, state: { phase: { kind: 'watching' } } } });
    expect(outcomesOf(begun)).toEqual(['1 promoted', '2 promoted']);
    expect(begun).toMatchObject({ live: 'green', release: { id: 3, candidate: 'blue' } });
    const watched = begun.history[1]!.endedAt - inWatch.release!.state.phase.since;
    expect(watched).toBeGreaterThanOrEqual(5_000);
    expect(begun.release!.startedAt).toBeGreaterThanOrEqual(begun.history[1]!.endedAt);
    expect(said).toContainEqual(
      expect.stringMatching(
        /^release 3: .* takes the warm lane, so the fast way back to the version before live ends$/,
      ),
    );

    await promote(app, 'v3');
    await app.isAt('v3', 'watching');
    const { green: good } = await app.generations();
    const fix = startRelease(withSpec(hands, { watchMs: 1_000 }), {
      ...(await app.version('v4', { CACHE: 'on' })),
      hotfix: true,
      reason: 'ticket 12',
    });
    await third;
    await app.isHolding('v4');

    const during = await app.head();
    expect(outcomesOf(during)).toEqual(['1 promoted', '2 promoted', '3 rolledBack']);
    expect(during.history[2]?.text).toContain('hotfix: ticket 12');
    expect(during).toMatchObject({ live: 'green', release: { id: 4, candidate: 'blue', former: 'green' } });
    expect(weightsAsked(during, 3).slice(-2)).toEqual([
      { blue: 100, green: 0 },
      { blue: 0, green: 100 },
    ]);
    // What release 4 looked at when it began: it was done, and not only asked for.
    expect(during.decisions.find(({ release }) => release === 4)?.look.weights).toEqual({ blue: 0, green: 100 });
    expect((await app.generations()).green).toBe(good);
    expect(said).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^release 4: .*; warning: it shares with revision ${v3.revision.id.slice(0, 8)}, which release 3 rolled back, what live does not have: proxy.env.CACHE$`,
        ),
      ),
    );
    await promote(app, 'v4');
    await fix;
    expect(outcomesOf(await app.head()).at(-1)).toBe('4 promoted');
    expect(app.failed).toEqual([]);
  },
  240_000,
);

withPods(
  'after keepWarm the version before live, or a named one, comes back without steps, beside the bad one until the watch ends; after that the bad one is let through for nobody but a person who insists',
  async () => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 1s\n  keepWarm: 1s\n');
    await using _ = await controllerOf(app.namespace);
    const { hands } = app;
    const [v1, v3] = [await app.version('v1'), await app.version('v3')];
    await startRelease(hands, v1);
    const second = startRelease(withSpec(hands, { keepWarmMs: 60_000 }), await app.version('v2'));
    await promote(app, 'v2');
    await second;
    const third = startRelease(hands, v3);
    await promote(app, 'v3');
    await third;
    await app.isAt('v3', 'retired');
    const before = await app.generations();

    const watchMs = 4_000;
    const previous = restore(withSpec(hands, { watchMs }), undefined, { release: 3, reason: 'regret' });
    await app.isAt('v2', 'watching');
    const beside = await instancesOf(app, 'blue');
    expect((await app.generations()).blue).toBe(before.blue);
    await previous;
    await app.isAt('v2', 'retired');

    expect(beside).toEqual({ wanted: 1, ready: 1 });
    expect(await instancesOf(app, 'blue')).toEqual({ wanted: 0, ready: 0 });
    const after = await app.head();
    const phases = after.decisions.filter(({ release }) => release === 4).map((record) => record.after.phase);
    const since = Object.fromEntries(phases.map((phase) => [phase.kind, phase.since]));
    expect(Object.keys(since)).toEqual(['starting', 'promoting', 'watching', 'promoted', 'retiring', 'retired']);
    expect(weightsAsked(after, 4)).toEqual([{ blue: 0, green: 100 }]);
    expect(since['retiring']! - since['watching']!).toBeGreaterThanOrEqual(watchMs);

    await restore(hands, v1.revision.id.slice(0, 8), { release: 4, reason: 'further back' });
    const named = await app.head();
    expect([versionOf(named.lanes[named.live!]), outcomesOf(named).at(-1)]).toEqual(['v1', '5 promoted']);

    const bad = v3.revision.id.slice(0, 8);
    expect(await startRelease(hands, v3)).toEqual({
      kind: 'refused',
      code: 'QUARANTINED',
      text: `Cannot release revision ${bad} as release 4 rolled it back: regret`,
    });
    const insisted = startRelease(hands, { ...v3, insist: true, reason: 'it was the network' });
    const release = await app.isHolding('v3');
    expect((await app.head()).release).toMatchObject({ id: 6, actor: 'kim@desk', reason: 'it was the network' });
    await act(hands, 'rollback', { release, reason: 'it was not' });
    await insisted;

    expect(outcomesOf(await app.head()).at(-1)).toBe('6 rolledBack');
    expect(app.failed).toEqual([]);
  },
  240_000,
);

withPods(
  'a candidate with fewer ready instances than live had at its peak is held for its capacity, and goes on when it has them',
  async () => {
    const judged = '  latency: rollback\n  tolerate: relaxed\n';
    await using app = await openApp(`${judged}  steps: [50%]\n  bake: 1s\n  watch: 1s\n  keepWarm: 5m\n`);
    const { client, hands } = app;
    await using controller = await controllerOf(app.namespace);
    await startRelease(hands, await app.version('v1'));
    const second = startRelease(hands, await app.version('v2'));
    const release = await app.isHolding('v2');
    await act(hands, 'hold', { release, reason: 'live is to grow' });
    const full = { metadata: { name: 'full' }, spec: { hard: { pods: '3' } } };
    await client.create<KubeObject>(kinds.ResourceQuota, full, hands.signal);
    await client.merge(kinds.Deployment, 'test-blue-proxy', { spec: { replicas: 2 } }, hands.signal);
    await until(async () => (await app.head()).release?.state.peak['proxy'] === 2, AbortSignal.timeout(60_000));

    await act(hands, 'resume', { release, reason: 'it has grown' });
    await until(async () => controller.log.some(({ reason }) => reason === 'capacity'), AbortSignal.timeout(60_000));

    expect(controller.log).toContainEqual(
      expect.objectContaining({
        event: 'held',
        release,
        reason: 'capacity',
        why: 'too few instances are ready for 100 %: proxy 1 of 2',
      }),
    );
    hands.ports.setFence((await app.head()).fence);
    expect((await settled(hands.ports.traffic)).seen).toMatchObject({ weights: { blue: 50, green: 50 } });
    expect(await instancesOf(app, 'green')).toEqual({ wanted: 2, ready: 1 });

    await client.remove(kinds.ResourceQuota, 'full', hands.signal);
    await wakeReplicaSets(app, 'green');
    await second;
    const head = await app.head();
    expect(outcomesOf(head)).toEqual(['1 promoted', '2 promoted']);
    const promoting = head.decisions.find((one) => one.release === release && one.after.phase.kind === 'promoting');
    expect(promoting?.look.lanes.green.workload?.ready['proxy']).toBe(2);
    expect(app.failed).toEqual([]);
  },
  180_000,
);

function listening({ hands }: ClusterApp): { readonly said: readonly string[]; readonly hands: Hands } {
  const said: string[] = [];
  return { said, hands: { ...hands, say: (text) => said.push(text) } };
}

function withSpec(hands: Hands, changed: Partial<ReleaseSpec>): Hands {
  return { ...hands, spec: { ...hands.spec, release: { ...hands.spec.release, ...changed } } };
}

async function promote(app: ClusterApp, version: string): Promise<void> {
  await act(app.hands, 'promote', { release: await app.isHolding(version), reason: 'good' });
}

/** In their order; what is asked for again is there once. */
function weightsAsked({ decisions }: Head, of: number) {
  const isWeights = (command: Command) => command.kind === 'setWeights';
  return decisions
    .filter(({ release }) => release === of)
    .flatMap(({ commands }) => commands.filter(isWeights).map(({ weights }) => weights));
}

type Deployment = KubeObject & {
  readonly spec: { readonly replicas: number };
  readonly status: { readonly readyReplicas?: number };
};

async function instancesOf({ client, hands }: ClusterApp, lane: Lane) {
  const seen = await client.get<Deployment>(kinds.Deployment, `test-${lane}-proxy`, hands.signal);
  return { wanted: seen?.spec.replicas, ready: seen?.status.readyReplicas ?? 0 };
}

/** Nobody tells Kubernetes' own controller that a quota is gone: it tries again later and later, or when its object changes. */
async function wakeReplicaSets({ client, hands }: ClusterApp, lane: Lane): Promise<void> {
  const { items } = await client.list(kinds.ReplicaSet, { labels: `headgate.dev/lane=${lane}` }, hands.signal);
  for (const { metadata } of items)
    await client.merge(kinds.ReplicaSet, metadata.name, { metadata: { annotations: { quota: 'gone' } } }, hands.signal);
}
