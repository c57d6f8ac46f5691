import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeClient, KubeObject } from './client.ts';
import { temporaryNamespace } from './cluster.rig.ts';
import { kinds } from './kinds.ts';
import { bootstrapLanes, planLanes } from './lanes.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const target = { app: 'ratings', services: { proxy: { port: 8080 }, rating: { port: undefined } }, manifests: {} };

let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;
let client: KubeClient;

beforeAll(async () => {
  namespace = await temporaryNamespace();
  client = namespace.client;
});
afterAll(async () => {
  await namespace?.[Symbol.asyncDispose]();
});

describe('bootstrapLanes()', () => {
  test('planLanes() says what it would make, and makes nothing', async () => {
    const plan = await planLanes(client, target, signal());

    expect(plan.map(({ kind, object }) => `${kind} ${object.kind.kind} ${object.name}`)).toEqual(
      ['blue', 'green'].flatMap((lane) => [
        `make Service ratings-${lane}`,
        `make Service ratings-${lane}-pinned`,
        ...['proxy', 'rating'].flatMap((service) =>
          ['Deployment', 'PodDisruptionBudget', 'NetworkPolicy'].map(
            (kind) => `make ${kind} ratings-${lane}-${service}`,
          ),
        ),
      ]),
    );
    expect((await client.list(kinds.Deployment, {}, signal())).items).toEqual([]);
  });

  test('makes all of it once, Deployments at zero', async () => {
    expect(await bootstrapLanes(client, target, signal())).toHaveLength(16);

    expect(await bootstrapLanes(client, target, signal())).toEqual([]);
    const { items } = await client.list<KubeObject & { spec: { replicas: number } }>(kinds.Deployment, {}, signal());
    expect(items.map(({ spec }) => spec.replicas)).toEqual([0, 0, 0, 0]);
  });

  test('brings back what somebody changed, and leaves alone what releases set', async () => {
    await client.merge(
      kinds.Deployment,
      'ratings-blue-rating',
      { spec: { replicas: 2, strategy: { type: 'Recreate', rollingUpdate: null } } },
      signal(),
    );
    await client.merge(
      kinds.Service,
      'ratings-green',
      { spec: { selector: { 'headgate.dev/lane': 'blue' } } },
      signal(),
    );

    const changes = await bootstrapLanes(client, target, signal());

    expect(changes).toMatchObject([
      {
        kind: 'set',
        object: { name: 'ratings-blue-rating' },
        differences: [
          { field: 'spec.strategy.type' },
          { field: 'spec.strategy.rollingUpdate.maxUnavailable' },
          { field: 'spec.strategy.rollingUpdate.maxSurge' },
        ],
      },
      {
        kind: 'set',
        object: { name: 'ratings-green' },
        differences: [{ field: 'spec.selector.headgate.dev/lane', wanted: 'green', current: 'blue' }],
      },
    ]);
    expect(await client.get(kinds.Deployment, 'ratings-blue-rating', signal())).toMatchObject({
      spec: { replicas: 2 },
    });
  });

  test("refuses another app's object, and then changes nothing", async () => {
    const foreign = { metadata: { name: 'shop-blue' }, spec: { ports: [{ port: 80 }] } };
    await client.create<KubeObject>(kinds.Service, foreign, signal());

    const attempt = bootstrapLanes(client, { ...target, app: 'shop' }, signal());

    await expect(attempt).rejects.toMatchObject({
      code: 'LANES_DIFFER',
      message: expect.stringContaining('headgate.dev/app must be "shop"'),
    });
    expect(await client.get(kinds.Deployment, 'shop-blue-proxy', signal())).toBeUndefined();
  });
});
