import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { firstOf } from '../../deadline.ts';
import { type KubeClient, type KubeObject, openKubeClient, pointer } from './client.ts';
import { openFaultyWay, temporaryNamespace, testCluster } from './cluster.rig.ts';
import { findAccess } from './find-access.ts';
import { kinds } from './kinds.ts';
import type { Change } from './watch.ts';

type ConfigMap = KubeObject & { readonly data?: Readonly<Record<string, string>> };

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;
let client: KubeClient;

beforeAll(async () => {
  namespace = await temporaryNamespace();
  client = namespace.client;
});
afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

let made = 0;
async function aConfigMap(data: Record<string, string> = { n: '1' }): Promise<ConfigMap> {
  const metadata = { name: `m-${++made}`, labels: { made: `m-${made}` } };
  const written = await client.create<ConfigMap>(kinds.ConfigMap, { metadata, data }, signal());
  if (written.kind !== 'written') throw new Error(written.kind);
  return written.object;
}

describe('KubeClient', () => {
  test('get() is undefined for what is not there', async () => {
    expect(await client.get(kinds.ConfigMap, 'nobody', signal())).toBeUndefined();
  });

  test('get() of a kind that the cluster does not know is refused, not missing', async () => {
    const unknown = { ...kinds.HTTPRoute, plural: 'nothings' };

    await expect(client.get(unknown, 'x', signal())).rejects.toMatchObject({ code: 'CLUSTER_REFUSED' });
  });

  test('create() of what exists is a conflict, and of what breaks a rule refused in the words of the server', async () => {
    const { metadata } = await aConfigMap();

    expect(await client.create(kinds.ConfigMap, { metadata: { name: metadata.name } }, signal())).toMatchObject({
      kind: 'conflict',
    });
    await expect(client.create(kinds.ConfigMap, { metadata: { name: 'Not A Name' } }, signal())).rejects.toMatchObject({
      code: 'CLUSTER_REFUSED',
      message: expect.stringContaining('RFC 1123'),
    });
  });

  test('create() in a namespace that is not there is refused', async () => {
    const create = client.in('nowhere').create(kinds.ConfigMap, { metadata: { name: 'x' } }, signal());

    await expect(create).rejects.toMatchObject({ code: 'CLUSTER_REFUSED' });
  });

  test('replace() passes over the version read, and is a conflict over any other', async () => {
    const first = await aConfigMap();
    const second = await client.replace(kinds.ConfigMap, { ...first, data: { n: '2' } }, signal());
    expect(second).toMatchObject({ kind: 'written', object: { data: { n: '2' } } });

    const late = await client.replace(kinds.ConfigMap, { ...first, data: { n: '3' } }, signal());

    expect(late).toMatchObject({ kind: 'conflict' });
    expect(await client.get(kinds.ConfigMap, first.metadata.name, signal())).toMatchObject({ data: { n: '2' } });
  });

  test('patch() carries out all steps when its tests hold, and none when one does not', async () => {
    const { metadata } = await aConfigMap({ n: '1', 'a.b': 'x' });
    const version = { op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion } as const;
    const key = pointer('metadata', 'annotations');
    const steps = [version, { op: 'add', path: key, value: { 'headgate.dev/fence': '3' } } as const];
    const patched = await client.patch<ConfigMap>(kinds.ConfigMap, metadata.name, steps, signal());
    expect(patched).toMatchObject({ kind: 'written' });

    const old = [version, { op: 'replace', path: '/data/n', value: '9' } as const];
    const fence = pointer('metadata', 'annotations', 'headgate.dev/fence');
    const wrong = [{ op: 'test', path: fence, value: '2' } as const, { op: 'remove', path: '/data/n' } as const];
    const absent = [
      { op: 'test', path: '/data/none', value: '2' } as const,
      { op: 'remove', path: '/data/n' } as const,
    ];

    for (const late of [old, wrong, absent])
      expect(await client.patch(kinds.ConfigMap, metadata.name, late, signal())).toMatchObject({ kind: 'conflict' });
    expect(await client.patch(kinds.ConfigMap, 'nobody', old, signal())).toEqual({ kind: 'missing' });
    expect(await client.get<ConfigMap>(kinds.ConfigMap, metadata.name, signal())).toMatchObject({
      data: { n: '1' },
      metadata: { annotations: { 'headgate.dev/fence': '3' } },
    });
  });

  test('patch() that would break a rule is refused and no conflict', async () => {
    const { metadata } = await aConfigMap();
    const steps = [{ op: 'add', path: pointer('data', 'not/a key'), value: 'x' } as const];

    await expect(client.patch(kinds.ConfigMap, metadata.name, steps, signal())).rejects.toMatchObject({
      code: 'CLUSTER_REFUSED',
    });
  });

  test('remove() may be repeated, and spares another object of the same name', async () => {
    const { metadata } = await aConfigMap();
    await client.remove(kinds.ConfigMap, metadata.name, signal(), 'another-uid');
    expect(await client.get(kinds.ConfigMap, metadata.name, signal())).toBeDefined();

    await client.remove(kinds.ConfigMap, metadata.name, signal(), metadata.uid);
    await client.remove(kinds.ConfigMap, metadata.name, signal());

    expect(await client.get(kinds.ConfigMap, metadata.name, signal())).toBeUndefined();
  });

  test('our writes carry our name', async () => {
    const { metadata } = await aConfigMap();

    expect(metadata.managedFields).toMatchObject([{ manager: 'headgate' }]);
  });

  test('an aborted signal sends nothing, and its reason passes', async () => {
    const get = client.get(kinds.ConfigMap, 'x', AbortSignal.abort());

    await expect(get).rejects.toMatchObject({ name: 'AbortError' });
  });

  test.each([
    { user: '{ token: "nobody" }', what: 'a token that nobody knows', outcome: 'refused' },
    { user: '{ tokenFile: token }', what: 'a token in a file beside it', outcome: 'given' },
    {
      user: '{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ./plugin } }',
      what: 'a plugin that gives a token',
      outcome: 'given',
    },
  ])('a kubeconfig with $what is $outcome access', async ({ user, outcome }) => {
    await using config = await kubeconfigWith(user);
    using other = openKubeClient({ kubeconfig: config.path, namespace: namespace.name });

    const list = other.list(kinds.ConfigMap, {}, signal());

    if (outcome === 'given') expect(await list).toBeDefined();
    else
      await expect(list).rejects.toMatchObject({
        code: 'CLUSTER_REFUSED',
        hint: expect.stringContaining('credentials'),
      });
  });
});

describe('KubeClient through a way that fails', () => {
  test('what a stalled server does not answer is CLUSTER_UNREACHABLE within the deadline', async () => {
    await using way = await openFaultyWay();
    const deadlines = { requestMs: 300, accessMs: 60_000 };
    using far = openKubeClient({ kubeconfig: way.kubeconfig, namespace: namespace.name, deadlines });
    await far.list(kinds.ConfigMap, {}, signal());

    way.stall();
    const begun = performance.now();
    const list = far.list(kinds.ConfigMap, {}, signal());

    await expect(list).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE', hint: expect.any(String) });
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('the first request after a cut does not fail for the connections of before', async () => {
    await using way = await openFaultyWay();
    using far = openKubeClient({ kubeconfig: way.kubeconfig, namespace: namespace.name });
    await far.list(kinds.ConfigMap, {}, signal());

    way.cut();
    await expect(far.list(kinds.ConfigMap, {}, signal())).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    way.heal();

    expect(await far.list(kinds.ConfigMap, {}, signal())).toBeDefined();
  });

  test.each(['cut', 'stall'] as const)('watch() misses nothing that happens during a %s', async (fault) => {
    await using way = await openFaultyWay();
    const deadlines = { requestMs: 500, accessMs: 60_000 };
    using far = openKubeClient({ kubeconfig: way.kubeconfig, namespace: namespace.name, deadlines });
    const one = await aConfigMap();
    const stop = new AbortController();
    const selection = { labels: `made=${one.metadata.name}` };
    const changes = far.watch<ConfigMap>(kinds.ConfigMap, selection, firstOf([stop.signal, signal()]));
    expect(await next(changes, 'all')).toMatchObject({ objects: [{ metadata: { name: one.metadata.name } }] });
    await client.merge(kinds.ConfigMap, one.metadata.name, { data: { n: '2' } }, signal());
    expect(await next(changes, 'set')).toMatchObject({ object: { data: { n: '2' } } });

    way[fault]();
    await client.merge(kinds.ConfigMap, one.metadata.name, { data: { n: '3' } }, signal());
    if (fault === 'cut') await next(changes, 'blind');
    way.heal();

    const seen = fault === 'cut' ? await next(changes, 'all') : await next(changes, 'set');
    expect(JSON.stringify(seen)).toContain('"n":"3"');
    await client.remove(kinds.ConfigMap, one.metadata.name, signal());
    expect(await next(changes, 'gone')).toMatchObject({ object: { metadata: { name: one.metadata.name } } });
    stop.abort();
    expect(await changes.next()).toEqual({ done: true, value: undefined });
  });
});

/** The next change, which must be of this kind. */
async function next<K extends Change<ConfigMap>['kind']>(changes: AsyncGenerator<Change<ConfigMap>, void>, kind: K) {
  const { value } = await changes.next();
  expect(value).toMatchObject({ kind });
  return value as Extract<Change<ConfigMap>, { kind: K }>;
}

/** A kubeconfig of the test cluster for another user; beside it lie the good token and a plugin that tells it. */
async function kubeconfigWith(user: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-config-'));
  const { server, tls, headers } = await findAccess({ kubeconfig: testCluster().kubeconfig }, {})();
  const token = headers['authorization']?.replace('Bearer ', '') ?? '';
  const status = JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token },
  });
  await writeFile(join(folder, 'token'), `${token}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'plugin'), `#!/bin/sh\ncat <<E\n${status}\nE\n`, { mode: 0o700 });
  const ca = Buffer.from(tls.ca ?? '').toString('base64');
  const path = join(folder, 'config');
  const text = `{ clusters: [{ name: c, cluster: { server: "${server}", certificate-authority-data: ${ca} } }], contexts: [{ name: x, context: { cluster: c, user: u } }],
    users: [{ name: u, user: ${user.replace('./plugin', join(folder, 'plugin'))} }], current-context: x }`;
  await writeFile(path, text, { mode: 0o600 });
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
