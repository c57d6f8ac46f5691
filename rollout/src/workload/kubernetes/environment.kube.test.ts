import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { openAs, testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import { kinds, pathOf } from '../../platform/kubernetes/kinds.ts';
import { rolesOf } from '../../platform/kubernetes/roles.ts';
import { podRevision, startKubernetesRig } from '../kubernetes.rig.ts';
import { readLaneEnvironment } from './environment.ts';

const signal = (): AbortSignal => AbortSignal.timeout(40_000);
const Secret = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
const seat = { app: 'ratings', lane: 'blue', service: 'rating' } as const;

/** Prints what it has, and stays. */
const command = ['/usr/local/bin/node', '-e', 'console.log(JSON.stringify(process.env)); setInterval(() => {}, 1000)'];
const env = [
  { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'ratings-$(LANE)-more', key: 'level' } } },
  { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'database', key: 'password' } } },
  { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  { name: 'URL', value: 'pg://$(USER):$(PASSWORD)@db' },
  { name: 'MADE', value: '$(SIZE) of $(LEVEL), $$(SIZE), $(NOBODY)' },
];
const envFrom = ['base', 'more'].map((name) => ({ configMapRef: { name: `ratings-$(LANE)-${name}` } }));
const configMaps = [
  { name: 'ratings-$(LANE)-base', data: { SIZE: '1', USER: 'kim' } },
  { name: 'ratings-$(LANE)-more', data: { SIZE: '2', level: 'high' } },
];

const withPods = testCluster().registry === null ? describe.skip : describe;

withPods('readLaneEnvironment()', () => {
  test('says to a viewer what a pod of the lane really has, and of a Secret its name alone', async () => {
    await using rig = await startKubernetesRig();
    await rig.client.create(
      Secret,
      { metadata: { name: 'database' }, stringData: { password: 'horse' } } as { metadata: { name: string } },
      signal(),
    );
    for (const role of rolesOf({ app: 'ratings', route: 'ratings' }))
      await rig.client.create(kinds.Role, role, signal());
    const pod = { spec: { containers: [{ name: 'rating', command, envFrom, env }] } };
    await rig.workload.setRevision('blue', await podRevision({ pod, configMaps }), signal());
    await rig.workload.scale('blue', { rating: 1 }, signal());
    await using viewer = await openAs(rig.client, 'headgate-ratings-viewer');

    const { variables, unnamed } = await readLaneEnvironment(viewer, seat, signal());

    const real = await printed(rig.client);
    const values = Object.entries(variables).flatMap(([key, one]) => (one.kind === 'value' ? [[key, one.value]] : []));
    const others = Object.entries(variables).flatMap(([key, one]) => (one.kind === 'unread' ? [[key, one.why]] : []));
    expect(real).toMatchObject(Object.fromEntries(values));
    expect(Object.fromEntries(values)).toMatchObject({
      HEADGATE_LANE: 'blue',
      SIZE: '2',
      level: 'high',
      LEVEL: 'high',
      MADE: '2 of high, $(SIZE), $(NOBODY)',
    });
    expect(Object.fromEntries(others)).toEqual({
      PASSWORD: 'key password of Secret database, which is not read',
      URL: 'made of PASSWORD',
      IP: 'status.podIP of each pod',
    });
    expect(real).toMatchObject({ PASSWORD: 'horse', URL: 'pg://kim:horse@db', IP: expect.any(String) });
    expect(unnamed).toEqual([]);
  }, 90_000);

  test('names the right that is missing', async () => {
    await using rig = await startKubernetesRig();
    await using nobody = await openAs(rig.client, 'headgate-ratings-nobody');

    await expect(readLaneEnvironment(nobody, seat, signal())).rejects.toMatchObject({
      code: 'CLUSTER_REFUSED',
      message: expect.stringContaining('cannot get resource "deployments"'),
    });
  });
});

/** What the one pod of the worker has printed. */
async function printed(client: KubeClient): Promise<Record<string, string>> {
  for (const within = signal(); ; await sleep(200, undefined, { signal: within })) {
    const { items } = await client.list(kinds.Pod, { labels: 'headgate.dev/service=rating' }, within);
    const name = items[0]?.metadata.name;
    if (name === undefined) continue;
    const { status, text } = await client.text(pathOf(kinds.Pod, client.namespace, name, 'log'), within);
    if (status === 200 && text.includes('\n')) return JSON.parse(text);
  }
}
