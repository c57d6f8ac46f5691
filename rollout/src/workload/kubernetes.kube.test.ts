import { describe, expect, test } from '@jest/globals';
import type { Lane } from '../lane.ts';
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { type KubernetesRig, podRevision, startKubernetesRig } from './kubernetes.rig.ts';
import { describeWorkload } from './workload.contract.ts';
import type { Failure, LaneSeen } from './workload.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const one = { proxy: 1, rating: 1 };
const up = (seen: LaneSeen): boolean => Object.values(seen.services).every(({ ready, wanted }) => ready >= wanted);

// Lanes need a node that runs pods, and a registry that they pull from.
const withPods = testCluster().registry === null ? describe.skip : describe;

withPods('with pods', () => {
  for (const reach of ['pod', 'api-server'] as const) {
    describeWorkload(`kubernetes, reached by ${reach}`, async () => {
      const rig = await startKubernetesRig();
      return {
        workload: rig.open({ reach }),
        sound: [await podRevision({ commit: 'a' }), await podRevision({ commit: 'b' })],
        crashing: await podRevision({ rating: 'crashing' }),
        imageless: await podRevision({ rating: 'imageless' }),
        [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
      };
    });
  }

  test('commands to one lane leave the other lane untouched, and repeated ones restart nothing', async () => {
    await using rig = await startKubernetesRig();
    const revision = await podRevision();
    await rig.workload.setRevision('blue', revision, signal());
    await rig.workload.scale('blue', one, signal());
    await rig.until('blue', up);
    const before = await fingerprint(rig);

    await rig.workload.setRevision('blue', revision, signal());
    await rig.workload.scale('blue', one, signal());
    await rig.workload.setRevision('green', await podRevision({ rating: 'crashing' }), signal());
    await rig.workload.scale('green', one, signal());
    await rig.until('green', ({ services }) => services['rating']?.failure !== undefined);
    await rig.workload.scale('green', { proxy: 0, rating: 0 }, signal());

    expect(await fingerprint(rig)).toEqual(before);
  });

  test('setRevision() says who and what in labels and annotations, the revision alone in the pods', async () => {
    await using rig = await startKubernetesRig();
    const revision = await podRevision();

    await rig.workload.setRevision('blue', revision, signal());

    const { metadata, spec } = await rig.deployment('blue', 'rating');
    expect(metadata.labels).toMatchObject({
      'headgate.dev/app': 'ratings',
      'headgate.dev/lane': 'blue',
      'headgate.dev/service': 'rating',
    });
    expect(metadata.annotations).toMatchObject({
      'headgate.dev/revision': revision.id,
      'headgate.dev/fence': '1',
      'headgate.dev/commit': 'a1b2c3',
    });
    expect(Object.keys(spec.template.metadata?.annotations ?? {})).toEqual(['headgate.dev/revision']);
  });

  test('label() shows role, release and revision of one lane, and no template, generation or pod hears of it', async () => {
    await using rig = await startKubernetesRig();
    const revision = await podRevision();
    await rig.workload.setRevision('blue', revision, signal());
    await rig.workload.scale('blue', one, signal());
    await rig.until('blue', up);
    const before = [await fingerprint(rig, 'blue'), await fingerprint(rig, 'green')];
    const template = (await rig.deployment('blue', 'rating')).spec.template;

    await rig.open({ fence: () => 2 }).label('blue', { role: 'live', release: 12 }, signal()); // By the next driver.

    for (const service of ['proxy', 'rating'])
      expect((await rig.deployment('blue', service)).metadata.labels).toMatchObject({
        'headgate.dev/lane': 'blue',
        'headgate.dev/role': 'live',
        'headgate.dev/release': '12',
        'headgate.dev/revision': revision.id.slice(0, 16),
      });
    expect((await rig.workload.observe('blue', signal())).labels).toEqual({ role: 'live', release: 12 });
    expect([await fingerprint(rig, 'blue'), await fingerprint(rig, 'green')]).toEqual(before);
    expect((await rig.deployment('blue', 'rating')).spec.template).toEqual(template);
  }, 90_000);

  test('a lane whose Deployments do not agree, or say another revision than they have, is shown as nothing', async () => {
    await using rig = await startKubernetesRig();
    await rig.workload.setRevision('blue', await podRevision({ commit: 'a' }), signal());
    await rig.workload.label('blue', { role: 'candidate', release: 3 }, signal());
    const shown = async () => (await rig.workload.observe('blue', signal())).labels;
    expect(await shown()).toEqual({ role: 'candidate', release: 3 });

    await rig.workload.setRevision('blue', await podRevision({ commit: 'b' }), signal());
    expect(await shown()).toEqual({ role: undefined, release: 3 });
    await rig.workload.label('blue', { role: 'candidate', release: 4 }, signal());
    const part = { metadata: { labels: { 'headgate.dev/role': 'warm', 'headgate.dev/release': null } } };
    await rig.client.merge(kinds.Deployment, 'ratings-blue-rating', part, signal());

    expect(await shown()).toEqual({ role: undefined, release: undefined });
  });

  test('a driver that was replaced is refused', async () => {
    await using rig = await startKubernetesRig();
    await rig.open({ fence: () => 7 }).setRevision('blue', await podRevision(), signal());
    const late = rig.open({ fence: () => 6 });

    await expect(late.scale('blue', one, signal())).rejects.toMatchObject({ code: 'LOCK_HELD' });
    await expect(late.setRevision('blue', await podRevision(), signal())).rejects.toMatchObject({ code: 'LOCK_HELD' });

    expect((await rig.deployment('blue', 'proxy')).spec.replicas).toBe(0);
  });

  test('ConfigMaps of a revision are there before its pods, cannot be changed, and go when the lane has another', async () => {
    await using rig = await startKubernetesRig();
    const revision = (name: string, MODE: string) =>
      podRevision({
        pod: oneContainer({ envFrom: [{ configMapRef: { name } }] }),
        configMaps: [{ name, data: { MODE, LANE: '$(LANE)' } }],
      });
    const maps = async () => {
      const { items } = await rig.client.list<KubeObject>(kinds.ConfigMap, { labels: 'headgate.dev/lane' }, signal());
      return items.map(({ metadata, ...rest }) => [metadata.name, (rest as { data?: unknown }).data]);
    };
    await rig.workload.setRevision('blue', await revision('rating-$(LANE)-1', 'a'), signal());
    await rig.workload.setRevision('green', await revision('rating-$(LANE)-1', 'a'), signal());
    await rig.workload.scale('blue', one, signal());
    await rig.until('blue', up);
    const change = rig.client.merge(kinds.ConfigMap, 'rating-blue-1', { data: { MODE: 'b' } }, signal());
    await expect(change).rejects.toMatchObject({ message: expect.stringContaining('immutable') });

    await rig.workload.setRevision('blue', await revision('rating-$(LANE)-2', 'b'), signal());

    expect(await maps()).toEqual([
      ['rating-blue-2', { MODE: 'b', LANE: 'blue' }],
      ['rating-green-1', { MODE: 'a', LANE: 'green' }],
    ]);
    await rig.until('blue', up);
    const other = rig.workload.setRevision('blue', await revision('rating-$(LANE)-2', 'c'), signal());
    await expect(other).rejects.toMatchObject({ message: expect.stringContaining('one with other contents') });
  });

  const inPod = (spec: Record<string, unknown>) => ({ spec });
  const oneContainer = (more: Record<string, unknown>) => inPod({ containers: [{ name: 'rating', ...more }] });
  const missingMap = { name: 'settings', configMap: { name: 'settings-1' } };
  const failures: readonly (readonly [Failure['reason'], string, Parameters<typeof podRevision>[0], string])[] = [
    ['image', 'an image that nobody has', { rating: 'imageless' }, 'not found'],
    ['crash', 'a crash loop', { rating: 'crashing' }, 'exit code 3'],
    ['probe', 'never ready', { rating: 'never-ready' }, 'statuscode: 503'],
    ['schedule', 'no such node', { pod: inPod({ nodeSelector: { disk: 'golden' } }) }, 'node affinity/selector'],
    [
      'config',
      'a ConfigMap missing in its environment',
      { pod: oneContainer({ envFrom: [{ configMapRef: { name: 'settings-1' } }] }) },
      '"settings-1" not found',
    ],
    [
      'config',
      'a ConfigMap missing as a volume',
      {
        pod: inPod({
          volumes: [missingMap],
          containers: [{ name: 'rating', volumeMounts: [{ name: 'settings', mountPath: '/settings' }] }],
        }),
      },
      '"settings-1" not found',
    ],
    [
      'quota',
      'more than the quota',
      { pod: oneContainer({ resources: { requests: { cpu: '90', memory: '1Mi' } } }) },
      'exceeded quota',
    ],
    [
      'deadline',
      'slower than its Deployment allows, by its own probe not yet too late',
      {
        rating: 'never-ready',
        pod: oneContainer({
          startupProbe: { httpGet: { path: '/readyz', port: 9090 }, periodSeconds: 1, failureThreshold: 60 },
        }),
      },
      'timed out progressing',
    ],
  ];
  test.each(failures)(
    '%s is known in under 20 s: %s',
    async (reason, _what, changed, told) => {
      await using rig = await startKubernetesRig();
      const quota = { metadata: { name: 'small' }, spec: { hard: { 'requests.cpu': '10' } } };
      if (reason === 'quota') await rig.client.create(kinds.ResourceQuota, quota, signal());
      const hurry = { spec: { progressDeadlineSeconds: 2 } };
      // The time runs for a new template, not for more of a complete one.
      if (reason === 'deadline') {
        await rig.client.merge(kinds.Deployment, 'ratings-green-rating', hurry, signal());
        await rig.workload.setRevision('green', await podRevision(), signal());
        await rig.workload.scale('green', { rating: 1 }, signal());
      }
      await rig.workload.setRevision('green', await podRevision(changed), signal());
      const began = performance.now();
      await rig.workload.scale('green', { rating: 1 }, signal());

      // A kubelet may first say that it has not looked yet: known is what a person can act upon.
      const seen = await rig.until(
        'green',
        ({ services }) => services['rating']?.failure?.message.includes(told) === true,
      );

      const tookMs = Math.round(performance.now() - began);
      expect(seen.services['rating']).toMatchObject({
        ready: 0,
        failure: { reason, message: expect.stringContaining(told) },
      });
      if (reason === 'crash') expect(seen.services['rating']?.failure?.logLines).toContain('no table');
      expect(tookMs).toBeLessThan(20_000);
      process.stdout.write(`${reason} (${_what}) known after ${tookMs} ms\n`);
    },
    60_000,
  );
});

/** All that a restart or a write of what shall run would change. */
async function fingerprint(rig: KubernetesRig, lane: Lane = 'blue'): Promise<unknown> {
  const deployments = [await rig.deployment(lane, 'proxy'), await rig.deployment(lane, 'rating')];
  const pods = await rig.pods(lane);
  return {
    deployments: deployments.map(({ metadata: { uid, generation } }) => ({
      uid,
      generation,
    })),
    pods: pods
      .map(({ metadata, status }) => [metadata.uid, status?.containerStatuses?.map(({ restartCount }) => restartCount)])
      .sort(),
  };
}
