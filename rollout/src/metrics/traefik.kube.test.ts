import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Lane, lanes, type Pin, percent, weightsFor } from '../lane.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { type SendOptions, startGatewayRig } from '../traffic/gateway.rig.ts';
import { openGatewayApiTraffic } from '../traffic/gateway-api.ts';
import { makeGatewayRoute, shown, targetOf } from '../traffic/gateway-route.rig.ts';
import { laneServices } from '../traffic/lane-services.ts';
import { startTraefik, type TraefikRig } from '../traffic/traefik.rig.ts';
import { difference } from './difference.ts';
import { describeMetrics } from './metrics.contract.ts';
import type { LaneTotals, Metrics, MetricsSeen, Totals } from './metrics.ts';
import { openScrapedMetrics } from './scrape.ts';
import { gatewayPlaces, traefikAlways, traefikCounts } from './traefik.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? describe.skip : describe;
let traefik: TraefikRig;

beforeAll(async () => {
  traefik = await startTraefik('127.0.0.81');
});
afterAll(async () => {
  await traefik[Symbol.asyncDispose]();
});

const pins = lanes.map((lane): Pin => ({ header: 'x-lane', value: lane, lane }));

/** Two lanes behind a replica of the gateway of our own, either of them by pin. */
async function openRig() {
  const rig = await startGatewayRig('gateways');
  await makeGatewayRoute(rig);
  const { client, app } = rig;
  const router = openGatewayApiTraffic({ ...targetOf(rig), replicas: async () => [traefik.replica] });
  await router.setPins(pins, signal());
  const countsIn = traefikCounts(gatewayPlaces({ namespace: client.namespace, route: app }, laneServices(app)));
  const sources = async () => [traefik.replica];
  const metrics = openScrapedMetrics({ what: 'the replicas of the gateway', sources, countsIn, always: traefikAlways });
  await metrics.observe(signal());
  return {
    ...rig,
    metrics,
    /** Does this while there is no pin. */
    async without(run: () => Promise<void>) {
      const weights = weightsFor('blue', percent(100));
      await router.setPins([], signal());
      await shown(traefik.replica, rig, { weights, pins: [] });
      await run();
      await router.setPins(pins, signal());
      await shown(traefik.replica, rig, { weights, pins });
    },
    /** All to this lane by weight. */
    async set(lane: Lane) {
      const weights = weightsFor(lane, percent(100));
      await router.setWeights(weights, signal());
      await shown(traefik.replica, rig, { weights, pins });
    },
    send: (options: SendOptions, way: keyof LaneTotals, lane: Lane) =>
      rig
        .send({ ...options, replica: traefik.url, headers: way === 'pinned' ? { 'x-lane': lane } : {} })
        .catch(() => undefined),
  };
}

/** The gateway counts a request a moment after the client has its answer. */
async function growth(metrics: Metrics, before: MetricsSeen, lane: Lane, way: keyof LaneTotals) {
  for (const within = signal(); ; within.throwIfAborted()) {
    const counts = difference(before, await metrics.observe(within))!;
    if (counts[lane][way].requests > 0) return counts;
  }
}

withGateway('a gateway', () => {
  describeMetrics('traefik', async () => {
    const rig = await openRig();
    const paths = { passed: '/', failed: '/500', refused: '/404' };
    return {
      metrics: rig.metrics,
      async request(lane, way, outcome) {
        await rig.set(lane);
        const before = await rig.metrics.observe(signal());
        await rig.send({ path: paths[outcome] }, way, lane);
        await growth(rig.metrics, before, lane, way);
      },
      restart: () => traefik.restart(),
      [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
    };
  });
});

withGateway('what Traefik counts', () => {
  const passed: Totals = { requests: 1, failed: 0, refused: 0 };
  const failed: Totals = { requests: 1, failed: 1, refused: 0 };
  const refused: Totals = { requests: 1, failed: 0, refused: 1 };
  const kinds = [
    { what: 'a redirect', options: { path: '/302' }, counts: passed },
    { what: 'an error of the service', options: { path: '/503' }, counts: failed },
    { what: 'a connection closed without an answer', options: { path: '/close', method: 'POST' }, counts: failed },
    { what: 'a request for nothing that exists', options: { path: '/404' }, counts: refused },
  ];

  test('each kind of answer is one request, by weight and by pin; a client that leaves is refused', async () => {
    await using rig = await openRig();
    await rig.set('blue');
    for (const way of ['weighted', 'pinned'] as const) {
      for (const { what, options, counts } of kinds) {
        const before = await rig.metrics.observe(signal());
        await rig.send(options, way, 'blue');

        expect({ what, counts: (await growth(rig.metrics, before, 'blue', way)).blue[way] }).toEqual({ what, counts });
      }
    }
    const before = await rig.metrics.observe(signal());
    await rig.send({ path: '/hang', signal: AbortSignal.timeout(200) }, 'weighted', 'blue');

    expect((await growth(rig.metrics, before, 'blue', 'weighted')).blue.weighted).toEqual(refused);
  });

  test("the probes for weights and pins are nobody's requests, and series of pins that come and go lose none", async () => {
    await using rig = await openRig();
    await rig.set('blue');
    const before = await rig.metrics.observe(signal());
    for (let turn = 0; turn < 3; turn++) {
      const now = await rig.metrics.observe(signal());
      await rig.send({}, 'pinned', 'green');
      await growth(rig.metrics, now, 'green', 'pinned');
      await rig.send({}, 'weighted', 'blue');
      await growth(rig.metrics, now, 'blue', 'weighted');
      await rig.without(async () => {
        for (let n = 0; n < 3; n++) await rig.metrics.observe(signal());
      });
    }

    const counts = difference(before, await rig.metrics.observe(signal()))!;
    expect([counts.green.pinned.requests, counts.blue.weighted.requests]).toEqual([3, 3]);
    expect([counts.green.weighted.requests, counts.blue.pinned.requests]).toEqual([0, 0]);
  });

  test('a gateway without a replica that answers is METRICS_UNREACHABLE', async () => {
    const sources = async () => [{ name: 'gone', counters: () => Promise.reject(new Error('refused')) }];
    const metrics = openScrapedMetrics({
      what: 'the replicas of the gateway',
      sources,
      countsIn: () => [],
      always: undefined,
    });

    await expect(metrics.observe(signal())).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
      hint: expect.any(String),
    });
  });
});
