import { expect, test } from '@jest/globals';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { podRepository, pushFakeService } from '../platform/kubernetes/pod-image.rig.ts';
import { type ClusterApp, openApp, outcomesOf } from './app.rig.ts';
import { controllerOf } from './process.rig.ts';

// Jobs need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? test.skip : test;

withPods(
  'a release whose migration fails ends with its last words, and live is not touched; where it succeeds, its Job is done before the candidate has a pod',
  async () => {
    await using app = await openApp('  steps: [50%]\n  bake: 5m\n  watch: 1s\n  keepWarm: 5m\n');
    await using _ = await controllerOf(app.namespace);
    await startRelease(app.hands, await app.version('v1'));
    const before = await untouched(app);

    await startRelease(
      await migrating(app, 'console.error("no such table"); process.exit(4)'),
      await app.version('v2'),
    );

    const head = await app.head();
    expect(outcomesOf(head)).toEqual(['1 promoted', '2 rolledBack']);
    expect(head.history[1]?.text).toMatch(/^the migration failed: .+; its last words: no such table$/);
    expect(head.decisions.map(({ after: { phase } }) => phase)).toContainEqual(
      expect.objectContaining({ kind: 'rollingBack', reason: expect.objectContaining({ kind: 'start' }) }),
    );
    const second = head.decisions.filter(({ release }) => release === 2);
    expect(second.flatMap(({ commands }) => commands.map(({ kind }) => kind))).not.toContain('setRevision');
    expect(head.live).toBe('blue');
    expect(await untouched(app)).toEqual(before);

    const third = startRelease(await migrating(app, 'setTimeout(() => {}, 3_000)'), await app.version('v3'));
    await act(app.hands, 'promote', { release: await app.isHolding('v3'), reason: 'good' });
    await third;

    expect(outcomesOf(await app.head())).toEqual(['1 promoted', '2 rolledBack', '3 promoted']);
    const done = (await jobsOf(app)).flatMap(({ status }) => status?.completionTime ?? []);
    expect(done).toHaveLength(1);
    const started = (await podsOf(app, 'green')).map(({ at }) => at);
    expect(started).not.toEqual([]);
    for (const at of started) expect(Date.parse(at)).toBeGreaterThanOrEqual(Date.parse(done[0]!));
    expect(app.failed).toEqual([]);
  },
  180_000,
);

async function migrating({ hands }: ClusterApp, program: string): Promise<ClusterApp['hands']> {
  const image = `${podRepository()}@${await pushFakeService('sound')}`;
  const migrate = { image, command: ['/usr/local/bin/node', '-e', program] };
  return { ...hands, spec: { ...hands.spec, release: { ...hands.spec.release, migrate } } };
}

/** What live is, and what leads to it. */
async function untouched(app: ClusterApp) {
  const { blue, route } = await app.generations();
  return { blue, route, pods: await podsOf(app, 'blue') };
}

type Seen = KubeObject & { readonly metadata: { readonly creationTimestamp?: string } };

async function podsOf({ client, hands }: ClusterApp, lane: string) {
  const { items } = await client.list<Seen>(kinds.Pod, { labels: `headgate.dev/lane=${lane}` }, hands.signal);
  return items.map(({ metadata: { uid, creationTimestamp: at = '' } }) => ({ uid, at }));
}

type Job = KubeObject & { readonly status?: { readonly completionTime?: string } };

async function jobsOf({ client, hands }: ClusterApp): Promise<readonly Job[]> {
  return (await client.list<Job>(kinds.Job, { labels: 'headgate.dev/app=test' }, hands.signal)).items;
}
