import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, jest, test } from '@jest/globals';
import { percent, type Weights, weightsFor } from '../lane.ts';
import { type KubeObject, openKubeClient } from '../platform/kubernetes/client.ts';
import { openFaultyWay, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { countElsewhere, type GatewayRig, gatewayPorts, holdBack, startGatewayRig } from './gateway.rig.ts';
import type { NewRoute } from './gateway-api/new-route.ts';
import { type RouteRead, readRoute as readRouteOf } from './gateway-api/route.ts';
import { openGatewayApiTraffic } from './gateway-api.ts';
import { makeGatewayRoute, targetOf, writeRouteAs } from './gateway-route.rig.ts';
import type { HttpRoute } from './http-route.ts';
import { laneServices } from './lane-services.ts';
import { findReplicas } from './replicas.ts';
import { type Answered, inForce, keepSending, sendingOf, settled } from './sending.rig.ts';
import { describeTrafficRouter } from './traffic.contract.ts';
import type { TrafficRouter } from './traffic.ts';

/** Some are long by what they show, such as a replica that is held back for 10 s; each wait has its own limit. */
jest.setTimeout(90_000);

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const blueAll = weightsFor('blue', percent(100));
const green = (share: number): Weights => weightsFor('green', percent(share));

// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? describe.skip : describe;

async function openRig(changed?: Partial<NewRoute>): Promise<GatewayRig & { readonly router: TrafficRouter }> {
  const rig = await startGatewayRig('gateways');
  await makeGatewayRoute(rig, changed);
  return { ...rig, router: openGatewayApiTraffic(targetOf(rig)) };
}

withGateway('a gateway', () => {
  describeTrafficRouter('gateway-api', async () => {
    const rig = await openRig();
    return { ...rig, ...sendingOf(rig) };
  });
});

withGateway('gateway-api with two replicas', () => {
  test('weight 0 is confirmed when both have it and neither has counted a request for 2 s', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(50));
    await using first = keepSending(rig, 0);
    await using second = keepSending(rig, 1);
    const heldMs = 10_000;

    const began = performance.now();
    {
      using _ = holdBack();
      await rig.router.setWeights(blueAll, signal());
      while (performance.now() - began < heldMs) {
        const seen = await rig.router.observe(signal());
        expect(seen.kind).toBe('pending');
        await sleep(100);
      }
      expect(await rig.router.observe(signal())).toEqual({
        kind: 'pending',
        why: 'not yet in replica 10.111.0.2:8000 of the gateway',
      });
    }
    const { seen } = await settled(rig.router);
    const agreedAt = performance.now();
    await sleep(500);

    expect(seen).toEqual({ kind: 'agreed', weights: blueAll, pins: [] });
    expect(lastGreen(first.answers)).toBeLessThan(began + 2_000);
    expect(lastGreen(second.answers)).toBeGreaterThan(began + heldMs - 1_000);
    expect(agreedAt - lastGreen(second.answers)).toBeGreaterThanOrEqual(1_990);
    process.stdout.write(
      `weight 0 held back ${heldMs} ms in one of two replicas: confirmed ${Math.round(agreedAt - began - heldMs)} ms after it was let go, last candidate answer ${Math.round(agreedAt - lastGreen(second.answers))} ms before\n`,
    );
  });

  test('no request in flight is lost while weights go back and forth', async () => {
    await using rig = await openRig();
    await inForce(rig.router, blueAll);
    await using first = keepSending(rig, 0);
    await using second = keepSending(rig, 1);
    const slow = Array.from({ length: 50 }, (_, n) =>
      sleep(n * 40).then(() => rig.send({ path: '/slow/4000', replica: n % 2 })),
    );

    for (let turn = 0; turn < 12; turn++) {
      await rig.router.setWeights(turn % 2 === 0 ? green(100) : blueAll, signal());
      await sleep(300);
    }
    const slowAnswers = await Promise.all(slow);
    const quickAnswers = [...first.answers, ...second.answers];

    expect(slowAnswers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(quickAnswers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(new Set(slowAnswers.map(({ lane }) => lane))).toEqual(new Set(['blue', 'green']));
    process.stdout.write(`50 requests of 4 s and ${quickAnswers.length} quick ones under 12 flips: all answered\n`);
  });

  test('prints the time from the decision to the confirmed weight', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(5));
    const took: Record<'step' | 'zero', number[]> = { step: [], zero: [] };
    for (let turn = 0; turn < 6; turn++) {
      for (const [kind, weights] of [
        ['step', green(25)],
        ['zero', blueAll],
      ] as const) {
        const began = performance.now();
        await inForce(rig.router, weights);
        took[kind].push(Math.round(performance.now() - began));
      }
    }

    expect(Math.max(...took.step)).toBeLessThan(5_000);
    expect(Math.min(...took.zero)).toBeGreaterThanOrEqual(2_000);
    process.stdout.write(
      `decision to confirmed: 25 % ${took.step.join(', ')} ms; 0 % ${took.zero.join(', ')} ms, 2 s of standstill included\n`,
    );
  });
});

const byHeader = { header: 'X-Variant', value: 'b', lane: 'green' } as const;

withGateway('gateway-api and other writers', () => {
  test('an old route applied again and again is named and reported as it is, and nothing is written against it', async () => {
    await using rig = await openRig();
    await inForce(rig.router, blueAll);
    const old = await readRoute(rig);
    await inForce(rig.router, green(25));

    for (let turn = 0; turn < 3; turn++) {
      await writeRouteAs('kubectl-client-side-apply', rig, { spec: { rules: old.spec.rules } });

      expect(await rig.router.observe(signal())).toEqual({
        kind: 'foreign',
        weights: blueAll,
        pins: [],
        manager: 'kubectl-client-side-apply',
      });
    }
    await inForce(rig.router, green(25));
  });

  test('somebody who writes the very same weights is nobody', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(25));
    const { spec } = await readRoute(rig);
    await writeRouteAs('argocd', rig, { spec: { rules: spec.rules } });

    expect((await settled(rig.router)).seen).toMatchObject({ kind: 'agreed', weights: green(25) });
  });

  test("a dead driver's late write is no foreign one: it is not agreed with, and written over", async () => {
    await using rig = await openRig();
    const dead = openGatewayApiTraffic(targetOf(rig, 3));
    const driver = openGatewayApiTraffic(targetOf(rig, 4));
    await inForce(dead, green(25));

    expect(await driver.observe(signal())).toEqual({
      kind: 'pending',
      why: 'driver 3 has written the route, and this is 4',
    });
    await inForce(driver, blueAll);
    await expect(dead.setWeights(green(50), signal())).rejects.toMatchObject({ code: 'LOCK_HELD' });
    await expect(dead.setPins([byHeader], signal())).rejects.toMatchObject({ code: 'LOCK_HELD' });
    expect((await settled(driver)).seen).toEqual({ kind: 'agreed', weights: blueAll, pins: [] });
  });

  test('two who write at once lose nothing of each other', async () => {
    await using rig = await openRig();
    const [one, other] = [openGatewayApiTraffic(targetOf(rig)), openGatewayApiTraffic(targetOf(rig))];

    for (let share = 0; share < 10; share++) {
      const pins = [{ ...byHeader, value: `v${share}` }];
      await Promise.all([one.setWeights(green(share), signal()), other.setPins(pins, signal())]);

      const { weights, pins: seen, whole } = Object(readIn(await readRoute(rig), rig));
      expect({ weights, seen, whole }).toEqual({ weights: green(share), seen: pins, whole: true });
    }
  });

  test("of a user's own route nothing is changed but what is Headgate's", async () => {
    await using rig = await startGatewayRig('gateways');
    const own = await makeOwnRoute(rig);
    const router = openGatewayApiTraffic(targetOf(rig));
    await inForce(router, green(25));
    await router.setPins([byHeader], signal());
    await writeRouteAs('kubectl-edit', rig, {
      metadata: { labels: { team: 'a' } },
      spec: { hostnames: [rig.host, 'b.test'] },
    });
    await inForce(router, green(50));
    await router.setPins([], signal());

    const after = await readRoute(rig);
    expect(after.metadata.labels).toEqual({ team: 'a' });
    expect(after.spec.hostnames).toEqual([rig.host, 'b.test']);
    const weighted = after.spec.rules?.[0]?.backendRefs?.map(({ name, weight }) => [name, weight]);
    expect(weighted).toEqual([
      ['ratings-blue', 50],
      ['ratings-green', 50],
    ]);
    expect(after.spec.rules?.[1]).toEqual(own.spec.rules?.[1]);
    expect(after.spec.rules).toHaveLength(3);
    expect((await rig.send({ path: '/ui' })).status).toBe(503);
  });

  test('a switch ends a pin at once, and pinned requests keep no weight 0 from being confirmed', async () => {
    await using rig = await openRig();
    await inForce(rig.router, blueAll);
    await rig.router.setPins([byHeader], signal());
    await settled(rig.router);
    const pinned = (): Promise<{ readonly lane: string | undefined }> => rig.send({ headers: { 'x-variant': 'b' } });
    expect((await pinned()).lane).toBe('green');
    await rig.router.setWeights(green(1), signal());
    await rig.router.setWeights(blueAll, signal());
    let isPinning = true;
    const pinning = (async () => {
      while (isPinning) await pinned();
    })();
    const { seen } = await settled(rig.router);
    isPinning = false;
    await pinning;

    const began = performance.now();
    await rig.router.setPins([], signal());
    while ((await pinned()).lane === 'green') await sleep(5);
    const tookMs = Math.round(performance.now() - began);

    expect(seen).toEqual({ kind: 'agreed', weights: blueAll, pins: [byHeader] });
    expect(tookMs).toBeLessThan(5_000);
    process.stdout.write(`a pin was off ${tookMs} ms after the switch\n`);
  });
});

withGateway('gateway-api in trouble', () => {
  test('a route that is not there is TRAFFIC_UNREACHABLE', async () => {
    await using rig = await startGatewayRig('gateways');
    const router = openGatewayApiTraffic(targetOf(rig));

    await expect(router.observe(signal())).rejects.toMatchObject({ code: 'TRAFFIC_UNREACHABLE' });
    await expect(router.setWeights(blueAll, signal())).rejects.toMatchObject({ code: 'TRAFFIC_UNREACHABLE' });
  });

  test('a route without the lanes is refused, and so is a value that the API server refuses', async () => {
    await using rig = await openRig();
    const router = openGatewayApiTraffic({ ...targetOf(rig), names: { app: 'x', services: laneServices('x') } });

    expect(await router.observe(signal())).toMatchObject({
      kind: 'pending',
      why: expect.stringContaining('x-blue and x-green'),
    });
    await expect(router.setWeights(blueAll, signal())).rejects.toMatchObject({ code: 'TRAFFIC_WRITE_REFUSED' });
    await expect(rig.router.setPins([{ ...byHeader, header: 'not a name' }], signal())).rejects.toMatchObject({
      code: 'TRAFFIC_WRITE_REFUSED',
      message: expect.stringContaining('not a name'),
    });
  });

  test('what the gateway says against a route is passed on', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(25));
    await rig.client.remove(kinds.Service, 'ratings-green', signal());

    for (const within = signal(); ; await sleep(20, undefined, { signal: within })) {
      const seen = await rig.router.observe(within);
      if (seen.kind !== 'pending') continue;
      expect(seen.why).toMatch(/ResolvedRefs=False of the route \(BackendNotFound\).*ratings-green/);
      break;
    }
  });

  test('nothing is agreed with while a replica does not answer, or there is none', async () => {
    await using rig = await openRig();
    const target = targetOf(rig);
    await inForce(rig.router, green(50));
    const gone = () => Promise.reject(new Error('gone'));
    const silent = { name: 'silent', open: gone, get: gone, counters: gone };
    const found = async (within: AbortSignal) => [...(await target.replicas(within)), silent];

    expect(await openGatewayApiTraffic({ ...target, replicas: found }).observe(signal())).toEqual({
      kind: 'pending',
      why: 'replica silent of the gateway does not answer: Error: gone',
    });
    expect(await openGatewayApiTraffic({ ...target, replicas: async () => [] }).observe(signal())).toEqual({
      kind: 'pending',
      why: 'no replica of the gateway was found',
    });
  });

  test("weight 0 is not confirmed by the silence of a page that is not the gateway's", async () => {
    await using rig = await openRig();
    await using elsewhere = await countElsewhere(rig.client, 'process_start_time_seconds 1\n');
    await inForce(rig.router, blueAll);
    const place = { client: rig.client, service: elsewhere.service, ports: gatewayPorts, way: 'direct' } as const;
    const router = openGatewayApiTraffic({ ...targetOf(rig), replicas: (within) => findReplicas(place, within) });

    await router.observe(signal());
    await sleep(2_100); // So long nothing was counted, and nothing could be.

    expect(await router.observe(signal())).toEqual({
      kind: 'pending',
      why: 'replica 10.111.0.1:8000 of the gateway cannot be counted: its page of counters has no traefik_config_reloads_total',
    });
  });

  test('an API server that is cut off is CLUSTER_UNREACHABLE, and the data plane goes on', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(50));
    await using way = await openFaultyWay();
    using client = openKubeClient({ kubeconfig: way.kubeconfig, namespace: rig.client.namespace });
    const router = openGatewayApiTraffic({ ...targetOf(rig), client });
    way.cut();

    await expect(router.setWeights(blueAll, signal())).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    await expect(router.observe(signal())).rejects.toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
    expect((await rig.send()).status).toBe(200);
    way.heal();
    await inForce(router, blueAll);
  });
});

async function readRoute({ client, app }: GatewayRig): Promise<HttpRoute> {
  const route = await client.get<KubeObject & HttpRoute>(kinds.HTTPRoute, app, signal());
  if (route === undefined) throw new Error('no route');
  return route;
}

function readIn(route: HttpRoute, { app }: GatewayRig): RouteRead {
  return readRouteOf(route, { app, services: laneServices(app) });
}

/** With a rule of their own beside the lanes'. */
async function makeOwnRoute({ client, app, host }: GatewayRig): Promise<HttpRoute> {
  const backend = (name: string, weight: number) => ({ name, port: 80, weight });
  const route = {
    metadata: { name: app },
    spec: {
      parentRefs: [{ name: 'main', namespace: 'gateway' }],
      hostnames: [host],
      rules: [
        { backendRefs: [backend(`${app}-blue`, 100), backend(`${app}-green`, 0)] },
        { matches: [{ path: { type: 'PathPrefix', value: '/ui' } }], backendRefs: [backend(`${app}-closed`, 1)] },
      ],
    },
  };
  const { spec } = await client.apply<KubeObject & { readonly spec: unknown }>(kinds.HTTPRoute, route, signal());
  return { metadata: { name: app }, spec: spec as HttpRoute['spec'] };
}

function lastGreen(answers: readonly Answered[]): number {
  return answers.findLast(({ lane }) => lane === 'green')?.at ?? 0;
}
