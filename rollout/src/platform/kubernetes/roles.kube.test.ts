import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeRecords } from '../../journal/journal.contract.ts';
import { openKubernetesJournal } from '../../journal/kubernetes.ts';
import { parseSpec } from '../../spec.ts';
import { bootstrapCluster } from './bootstrap.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { bindRole, openAs, temporaryNamespace } from './cluster.rig.ts';
import type { Entrance } from './cluster-objects.ts';
import { kinds } from './kinds.ts';
import { gatewayBootstrapRole, gatewayRole, type RoleName, roleNames, rolesOf } from './roles.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const objects = { app: 'ratings', route: 'ratings' };
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;
const acting = new Map<RoleName, KubeClient & AsyncDisposable>();
const drivers: (KubeClient & AsyncDisposable)[] = [];

/** A client of each role that holds it and nothing else. */
function as(role: RoleName): KubeClient {
  const client = acting.get(role);
  if (client === undefined) throw new Error(`nobody holds ${role}`);
  return client;
}

beforeAll(async () => {
  namespace = await temporaryNamespace();
  for (const role of rolesOf(objects)) await namespace.client.create(kinds.Role, role, signal());
  for (const name of roleNames) acting.set(name, await openAs(namespace.client, `headgate-ratings-${name}`));
  await openKubernetesJournal(as('driver'), 'ratings').journal.write('head', undefined, signal());
  const wish = { act: 'hold', actor: 'driver', at: 0 };
  await openKubernetesJournal(as('driver'), 'ratings').wishes.add(wish, signal());
});
afterAll(async () => {
  for (const client of [...acting.values(), ...drivers]) await client[Symbol.asyncDispose]();
  await namespace[Symbol.asyncDispose]();
});

let apps = 0;
describeRecords('kubernetes with the rights of a driver', async () => {
  const app = `app-${++apps}`;
  const driver = await driverOf(app);
  return { records: openKubernetesJournal(driver, app), reopen: () => openKubernetesJournal(driver, app) };
});

/** As a driver of another app in the namespace. */
async function driverOf(app: string): Promise<KubeClient> {
  const role = rolesOf({ app, route: app }).find(({ metadata }) => metadata.name === `headgate-${app}-driver`)!;
  await namespace.client.create(kinds.Role, role, signal());
  const client = await openAs(namespace.client, role.metadata.name);
  drivers.push(client);
  // The API server hears of a binding some time after it has stored it.
  for (const within = signal(); !(await mayI(client, { resource: 'configmaps', verb: 'update' })); )
    await sleep(20, undefined, { signal: within });
  return client;
}

describe('a driver', () => {
  test('writes the route of its app, and no other one', async () => {
    for (const name of ['ratings', 'billing']) await makeRoute(name);
    const step = { op: 'replace', path: '/spec/hostnames/0', value: 'shop.test' } as const;

    const own = await as('driver').patch(kinds.HTTPRoute, 'ratings', [step], signal());

    expect(own.kind).toBe('written');
    await expect(as('driver').patch(kinds.HTTPRoute, 'billing', [step], signal())).rejects.toMatchObject(refused);
  });

  test("does not take another app's lock, nor go on with it", async () => {
    const driver = await driverOf('billing');
    const { lock } = openKubernetesJournal(driver, 'billing');
    const acquired = await lock.acquire('its driver', signal());
    if (acquired.kind === 'held') await acquired.lease[Symbol.asyncDispose]();

    const theirs = openKubernetesJournal(as('driver'), 'billing').lock.acquire('eva', signal());

    await expect(theirs).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE', message: expect.stringContaining('403') });
    const own = await openKubernetesJournal(as('driver'), 'ratings').lock.acquire('kim', signal());
    if (own.kind === 'held') await own.lease[Symbol.asyncDispose]();
    expect(own.kind).toBe('held');
  });

  test('leaves to bootstrap what stands for ever: budgets, network rules, routes and autoscalers', async () => {
    for (const [group, resource] of [
      ['policy', 'poddisruptionbudgets'],
      ['networking.k8s.io', 'networkpolicies'],
      ['networking.k8s.io', 'ingresses'],
      ['gateway.networking.k8s.io', 'httproutes'],
      ['autoscaling', 'horizontalpodautoscalers'],
    ] as const)
      for (const verb of ['create', 'patch']) {
        const attributes = { group, resource, verb, name: 'any' };
        expect([attributes, await mayI(as('driver'), attributes)]).toEqual([attributes, false]);
        expect([attributes, await mayI(as('bootstrap'), attributes)]).toEqual([attributes, true]);
      }
  });

  test('had more rights before: the next bootstrap takes them away', async () => {
    const [wide] = rolesOf({ app: 'wide', route: 'wide' }).filter(({ metadata }) => /driver$/.test(metadata.name));
    const more = { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['get', 'patch'] };
    await namespace.client.create(kinds.Role, { ...wide!, rules: [...wide!.rules, more] }, signal());
    await using before = await openAs(namespace.client, 'headgate-wide-driver');
    const attributes = { group: 'policy', resource: 'poddisruptionbudgets', verb: 'patch' };
    expect(await mayI(before, attributes)).toBe(true);

    await bootstrapCluster({ ...everything(), spec: aSpec({ app: 'wide' }) }, as('bootstrap'), signal());

    for (const within = signal(); await mayI(before, attributes); ) await sleep(50, undefined, { signal: within });
  });
});

describe('a controller', () => {
  const forwarding = { resource: 'pods', subresource: 'portforward', verb: 'create' };

  test('forwards no port, as it is in the network of what it asks; a driver elsewhere does', async () => {
    expect(await mayI(as('controller'), forwarding)).toBe(false);
    expect(await mayI(as('driver'), forwarding)).toBe(true);
    expect(await mayI(as('controller'), { group: 'apps', resource: 'deployments', verb: 'update' })).toBe(true);
  });

  test('that an earlier bootstrap has bound to the role of a driver goes on with it, and bootstrap with that', async () => {
    const earlier = { name: 'headgate-early-controller', namespace: namespace.name };
    await bindRole(namespace.client, 'headgate-early-driver', 'headgate-controller', earlier);

    await bootstrapCluster({ ...everything(), spec: aSpec({ app: 'early' }) }, as('bootstrap'), signal());

    const binding = await namespace.client.get(kinds.RoleBinding, earlier.name, signal());
    expect(binding).toMatchObject({ roleRef: { name: 'headgate-early-driver' } });
  });
});

const refused = { code: 'CLUSTER_REFUSED', message: expect.stringContaining('403') };

async function makeRoute(name: string): Promise<void> {
  const route = { metadata: { name }, spec: { parentRefs: [{ name: 'main' }], hostnames: ['old.test'] } };
  await namespace.client.create(kinds.HTTPRoute, route, signal());
}

describe('a viewer', () => {
  test('sees the head, the evidence, the wishes and who drives', async () => {
    const { journal, wishes, lock } = openKubernetesJournal(as('viewer'), 'ratings');

    expect(await journal.read(signal())).toMatchObject({ head: 'head' });
    expect(await journal.readEvidence(1, signal())).toEqual([]);
    expect(await wishes.read(signal())).toMatchObject([{ actor: 'driver' }]);
    expect(await lock.holding(signal())).toBeUndefined();
  });

  test('cannot wish, write the journal or take the lock, and reads why', async () => {
    const { journal, wishes, lock } = openKubernetesJournal(as('viewer'), 'ratings');
    const { version } = (await journal.read(signal()))!;
    const no = { code: 'JOURNAL_UNWRITABLE', message: expect.stringContaining('403'), hint: expect.any(String) };

    await expect(wishes.add({ act: 'promote', actor: 'eva', at: 1 }, signal())).rejects.toMatchObject({
      ...no,
      hint: expect.stringContaining('role headgate-ratings-releaser has this right'),
    });
    await expect(journal.write('forged', version, signal())).rejects.toMatchObject(no);
    await expect(lock.acquire('eva', signal())).rejects.toMatchObject(no);
    expect(await openKubernetesJournal(namespace.client, 'ratings').journal.read(signal())).toMatchObject({
      head: 'head',
    });
  });
});

describe('a releaser', () => {
  test('can wish, and is heard', async () => {
    const id = await openKubernetesJournal(as('releaser'), 'ratings').wishes.add(
      { act: 'promote', actor: 'kim', at: 2 },
      signal(),
    );

    const heard = await openKubernetesJournal(as('driver'), 'ratings').wishes.read(signal());
    expect(heard.map((wish) => wish.id)).toContain(id);
  });

  test('cannot write the journal, take the lock, or wish anything of another app', async () => {
    const { journal, lock } = openKubernetesJournal(as('releaser'), 'ratings');
    const { version } = (await journal.read(signal()))!;
    const other = openKubernetesJournal(as('releaser'), 'other');
    const no = { code: 'JOURNAL_UNWRITABLE', message: expect.stringContaining('403') };

    await expect(journal.write('forged', version, signal())).rejects.toMatchObject(no);
    await expect(lock.acquire('kim', signal())).rejects.toMatchObject(no);
    await expect(other.wishes.add({ act: 'promote', actor: 'kim', at: 3 }, signal())).rejects.toMatchObject(no);
  });
});

describe('bootstrap', () => {
  test('can make all these roles, and none that reads secrets', async () => {
    for (const role of [...rolesOf(objects), ...rolesOf({ app: 'other', route: 'other' })])
      await as('bootstrap').apply(kinds.Role, role, signal());

    const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }];
    const greedy = as('bootstrap').apply(kinds.Role, { metadata: { name: 'greedy' }, rules }, signal());

    await expect(greedy).rejects.toMatchObject({ code: 'CLUSTER_REFUSED', message: expect.stringContaining('403') });
  });
});

describe('the role bootstrap', () => {
  test('is enough for all that `headgate bootstrap` makes, what the controller may do included', async () => {
    const bootstrap = everything();

    const made = await bootstrapCluster(bootstrap, as('bootstrap'), signal());

    expect(made).toContain(`made RoleBinding ${namespace.name}/headgate-shop-controller`);
    expect(await bootstrapCluster(bootstrap, as('bootstrap'), signal())).toEqual([]);
  });

  test('is enough with its part in another namespace, where the gateway stands, and has no right there for anything else', async () => {
    await using far = await temporaryNamespace();
    const bootstrap = { ...everything(), spec: aSpec({ gateway: far.name }) };
    await expect(bootstrapCluster(bootstrap, as('bootstrap'), signal())).rejects.toMatchObject({
      code: 'CLUSTER_REFUSED',
      message: expect.stringContaining(`role ${far.name}/headgate-shop-gateway`),
    });
    // Once, by the owner of the cluster; from then on it keeps it by itself.
    await far.client.create(kinds.Role, gatewayBootstrapRole('shop'), signal());
    const near = { namespace: namespace.name };
    await bindRole(far.client, 'headgate-shop-gateway-bootstrap', 'headgate-ratings-bootstrap', near);

    await bootstrapCluster(bootstrap, as('bootstrap'), signal());

    expect(
      await far.client.get(kinds.RoleBinding, `headgate-shop-controller-${namespace.name}`, signal()),
    ).toBeDefined();
    expect(await bootstrapCluster(bootstrap, as('bootstrap'), signal())).toEqual([]);
    const there = as('bootstrap').in(far.name);
    for (const attributes of [
      { resource: 'secrets', verb: 'get' },
      { resource: 'configmaps', verb: 'get' },
      { resource: 'services', verb: 'patch' },
      { resource: 'pods', verb: 'delete' },
      { group: 'rbac.authorization.k8s.io', resource: 'roles', verb: 'delete' },
    ])
      expect([attributes, await mayI(there, attributes)]).toEqual([attributes, false]);
    expect(await mayI(there, { resource: 'pods', verb: 'list' })).toBe(true);
  });

  test('leaves a box for the first wish of a releaser, who may make none', async () => {
    await bootstrapCluster(everything(), as('bootstrap'), signal());
    await using releaser = await openAs(namespace.client, 'headgate-shop-releaser');
    const { wishes } = openKubernetesJournal(releaser, 'shop');

    await wishes.add({ act: 'release', actor: 'kim', at: 1 }, signal());

    expect(await wishes.read(signal())).toMatchObject([{ act: 'release', actor: 'kim' }]);
  });
});

describe('no role of ours', () => {
  test.each([...roleNames])(
    '%s reads, lists, writes or watches secrets, runs commands in pods, or deletes or evicts them',
    async (name) => {
      const asked = [
        ...['get', 'list', 'watch', 'create', 'patch'].map((verb) => ({ resource: 'secrets', verb })),
        { resource: 'pods', subresource: 'exec', verb: 'create' },
        // A pod ends by its Deployment's word alone: what a PodDisruptionBudget protects is not gone around.
        { resource: 'pods', verb: 'delete' },
        { resource: 'pods', verb: 'deletecollection' },
        { resource: 'pods', subresource: 'eviction', verb: 'create' },
        { resource: 'serviceaccounts', subresource: 'token', verb: 'create' },
      ];

      for (const attributes of asked)
        expect([attributes, await mayI(as(name), attributes)]).toEqual([attributes, false]);
      expect(await mayI(as(name), { resource: 'configmaps', verb: 'get' })).toBe(true); // It is asked of whom we mean.
    },
  );

  test('names secrets', () => {
    const roles = [...rolesOf(objects), gatewayRole('ratings'), gatewayBootstrapRole('ratings')];

    for (const { metadata, rules } of roles)
      expect([metadata.name, rules.flatMap(({ resources }) => resources)]).toEqual([
        metadata.name,
        expect.not.arrayContaining(['secrets']),
      ]);
  });

  test('names a wildcard', () => {
    const rules = [...rolesOf(objects), gatewayRole('ratings'), gatewayBootstrapRole('ratings')].flatMap(
      ({ rules }) => rules,
    );

    expect(JSON.stringify(rules)).not.toContain('*');
  });
});

function everything() {
  return { spec: aSpec(), entrance: anEntrance, manifests: {}, check: false };
}

function aSpec({ app = 'shop', gateway = namespace.name } = {}) {
  const text = `app: ${app}
services: { web: { source: web, port: 8080 } }
kubernetes: { namespace: ${namespace.name}, traffic: { gateway-api: { route: ${app} }, replicas: { namespace: ${gateway}, service: traefik } } }
`;
  const parsed = parseSpec(text, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

const anEntrance: Entrance = {
  through: { kind: 'gateway-api', namespace: 'gateway', name: 'main' },
  host: 'shop.test',
  paths: ['/api'],
  frontend: { service: 'front', port: 80 },
};

type Review = KubeObject & { readonly status?: { readonly allowed: boolean } };

/** Asks the API server what `kubectl auth can-i` asks. */
async function mayI(client: KubeClient, attributes: Readonly<Record<string, string>>): Promise<boolean> {
  const kind = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    namespaced: false,
  };
  const spec = { resourceAttributes: { namespace: client.namespace, ...attributes } };
  const answer = await client.create<Review & { spec: unknown }>(kind, { metadata: { name: '' }, spec }, signal());
  if (answer.kind !== 'written') throw new Error(answer.kind);
  return answer.object.status?.allowed === true;
}
