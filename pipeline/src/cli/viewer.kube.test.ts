import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../../../rollout/src/engine.rig.ts';
import { startRelease } from '../../../rollout/src/hands/release.ts';
import { emptyBox } from '../../../rollout/src/journal/kubernetes/wishes.ts';
import { openKubernetesJournal } from '../../../rollout/src/journal/kubernetes.ts';
import { openKubeClient } from '../../../rollout/src/platform/kubernetes/client.ts';
import { openAs } from '../../../rollout/src/platform/kubernetes/cluster.rig.ts';
import { kinds } from '../../../rollout/src/platform/kubernetes/kinds.ts';
import { rolesOf } from '../../../rollout/src/platform/kubernetes/roles.ts';
import { aClusterShell } from './cluster.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const drivers = ['controller', 'cli'] as const;
const specOf = (driver: (typeof drivers)[number]) => (namespace: string) =>
  `app: test
services: { proxy: { source: proxy, port: 8080 } }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: test }, replicas: { service: traefik } }
  driver: ${driver}
`;

let shell: Awaited<ReturnType<typeof aClusterShell>>;
const admin = process.env['HEADGATE_KUBECONFIG'];

/** A release at 5 % whose driver was told to go: nobody writes any more but who is tested. */
beforeAll(async () => {
  shell = await aClusterShell(specOf('controller'));
  for (const driver of drivers) await writeFile(join(shell.cwd, `${driver}.yaml`), specOf(driver)(shell.namespace));
  using client = openKubeClient({ namespace: shell.namespace });
  for (const role of rolesOf({ app: 'test', route: 'test' })) await client.create(kinds.Role, role, signal());
  await client.create(kinds.ConfigMap, emptyBox('test'), signal());
  await using world = aPlatform();
  const ports = { ...world.ports, ...openKubernetesJournal(client, 'test') };
  await startRelease(handsOn(ports), aRequest('v1'));
  const told = new AbortController();
  const hands = handsOn(ports, { spec: { ...quick, bakeMs: 100_000 }, signal: told.signal });
  const release = startRelease(hands, aRequest('v2'));
  await isAt(ports, 'holding');
  told.abort();
  await release;
}, 60_000);
afterAll(async () => {
  process.env['HEADGATE_KUBECONFIG'] = admin;
  await shell[Symbol.asyncDispose]();
});

/** Every object of the app's records and its version: a write changes one. */
async function versions(): Promise<string> {
  return shell.kubectl([
    'get',
    'configmaps,leases',
    '-o',
    'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}',
  ]);
}

describe('a viewer', () => {
  const acts = [
    ['promote'],
    ['step'],
    ['rollback', '--reason', 'bad'],
    ['hold'],
    ['resume'],
    ['pin', 'X-Team=qa', '--to', 'candidate'],
    ['unpin', 'X-Team=qa'],
    ['release', `proxy=127.0.0.1:9/proxy@sha256:${'0'.repeat(64)}`, '--reason', 'new'],
  ];
  /** Who drives takes the lock first; all others go by the box. */
  const needs = (driver: string, act: string | undefined) =>
    driver === 'cli' && act === 'release'
      ? ['cannot update resource "leases"', 'role headgate-test-driver has this right']
      : ['cannot patch resource "configmaps"', 'role headgate-test-releaser has this right'];

  test.each(drivers.flatMap((driver) => acts.map((words) => ({ driver, words }))))(
    'cannot $words.0 (driver: $driver): reads which right is missing and which role has it, and nothing is written',
    async ({ driver, words }) => {
      using client = openKubeClient({ kubeconfig: adminConfig(), namespace: shell.namespace });
      await using viewer = await openAs(client, 'headgate-test-viewer', `viewer-${driver}-${words[0]}`);
      const file = ['--file', `${driver}.yaml`];
      const before = await versions();

      process.env['HEADGATE_KUBECONFIG'] = viewer.kubeconfig;
      const status = await shell.run('status', ...file);
      const { code, out, err } = await shell.run(...words, ...file);
      process.env['HEADGATE_KUBECONFIG'] = adminConfig();

      expect(status.out).toContain('release 2');
      expect([code, out]).toEqual([69, '']);
      for (const part of needs(driver, words[0])) expect(err).toContain(part);
      expect(await versions()).toBe(before);
      expect(before).toContain('ConfigMap/headgate-test ');
    },
  );

  test('cannot unlock, and reads who holds the lock', async () => {
    using client = openKubeClient({ kubeconfig: adminConfig(), namespace: shell.namespace });
    await using viewer = await openAs(client, 'headgate-test-viewer', 'viewer-unlocks');
    const { lock } = openKubernetesJournal(client, 'test');
    const held = await lock.acquire('driver of another', signal());
    if (held.kind !== 'held') throw new Error('the lock is not free');

    process.env['HEADGATE_KUBECONFIG'] = viewer.kubeconfig;
    const { code, out, err } = await shell.run('unlock', '--yes', '--insist', '--file', 'cli.yaml');
    process.env['HEADGATE_KUBECONFIG'] = adminConfig();
    const after = await lock.holding(signal());
    await held.lease[Symbol.asyncDispose]();

    expect([code, out]).toEqual([69, '']);
    expect(err).toContain('driver of another holds it since');
    expect(err).toContain('cannot update resource "leases"');
    expect(err).toContain('role headgate-test-driver has this right');
    expect(after?.holder).toBe('driver of another');
  });

  test('can wait for the release that a controller drives, as the job of an outcome does', async () => {
    using client = openKubeClient({ kubeconfig: adminConfig(), namespace: shell.namespace });
    await using viewer = await openAs(client, 'headgate-test-viewer', 'viewer-waits');
    const wait = (release: string) =>
      shell.run('wait', '--for', 'ended', '--release', release, '--timeout', '1', '--file', 'controller.yaml');
    const before = await versions();

    process.env['HEADGATE_KUBECONFIG'] = viewer.kubeconfig;
    const [ended, running] = [await wait('1'), await wait('2')];
    process.env['HEADGATE_KUBECONFIG'] = adminConfig();

    expect([ended.code, running.code]).toEqual([0, 4]);
    expect(running.err).toContain('release 2 has not ended within 1 s');
    expect(await versions()).toBe(before);
  });

  test('is told from a releaser, whose promotion is taken into the box', async () => {
    using client = openKubeClient({ kubeconfig: adminConfig(), namespace: shell.namespace });
    await using releaser = await openAs(client, 'headgate-test-releaser', 'releaser');
    const { wishes } = openKubernetesJournal(releaser, 'test');

    await wishes.add({ act: 'promote', actor: 'kim', at: 0 }, signal());

    expect(await openKubernetesJournal(client, 'test').wishes.read(signal())).toMatchObject([{ act: 'promote' }]);
  });
});

function adminConfig(): string {
  return shell.kubeconfig;
}
