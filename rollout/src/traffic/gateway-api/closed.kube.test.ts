import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, jest, test } from '@jest/globals';
import { type Lane, percent, type Weights, weightsFor } from '../../lane.ts';
import { testCluster } from '../../platform/kubernetes/cluster.rig.ts';
import type { LaneProxy } from '../closed.ts';
import { type GatewayRig, gatewayPorts, holdBack, requestsAt, startGatewayRig } from '../gateway.rig.ts';
import { type GatewayApiTarget, openGatewayApiTraffic } from '../gateway-api.ts';
import { makeGatewayRoute, targetOf } from '../gateway-route.rig.ts';
import { findReplicas } from '../replicas.ts';
import { inForce, keepSending, sendingOf, settled } from '../sending.rig.ts';
import { describeTrafficRouter } from '../traffic.contract.ts';
import type { TrafficRouter } from '../traffic.ts';

/** Some are long by what they show, such as a replica that is held back for 10 s; each wait has its own limit. */
jest.setTimeout(90_000);

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const blueAll = weightsFor('blue', percent(100));
const green = (share: number): Weights => weightsFor('green', percent(share));

// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? describe.skip : describe;

/** The real gateway as one that nobody knows how to count: its port of counters is not named. */
function uncountedTarget(rig: GatewayRig, requests: LaneProxy['requests'] | undefined = undefined): GatewayApiTarget {
  const ports = { listener: gatewayPorts.listener, metrics: undefined };
  const place = { client: rig.client.in('gateway'), service: 'traefik', ports, way: 'direct' } as const;
  const proxyOf = (lane: Lane): LaneProxy => ({
    name: `proxy-${lane}`,
    isReady: true,
    requests: requests ?? (() => requestsAt(rig, lane)),
  });
  return {
    ...targetOf(rig),
    replicas: (within) => findReplicas(place, within),
    closedBy: { kind: 'proxies', proxiesOf: async (lane) => [proxyOf(lane)] },
  };
}

async function openRig(): Promise<GatewayRig & { readonly router: TrafficRouter }> {
  const rig = await startGatewayRig('gateways');
  await makeGatewayRoute(rig);
  return { ...rig, router: openGatewayApiTraffic(uncountedTarget(rig)) };
}

withGateway('a gateway', () => {
  describeTrafficRouter("gateway-api, counted by the lanes' proxies", async () => {
    const rig = await openRig();
    return { ...rig, ...sendingOf(rig) };
  });
});

withGateway("gateway-api, counted by the lanes' proxies", () => {
  test("weight 0 is confirmed when both replicas have it and the lane's proxies have answered nothing for 2 s", async () => {
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
        expect(await rig.router.observe(signal())).toMatchObject({ kind: 'pending' });
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

    const lastGreen = [first, second].map(({ answers }) => answers.findLast(({ lane }) => lane === 'green')?.at ?? 0);
    expect(seen).toEqual({ kind: 'agreed', weights: blueAll, pins: [] });
    expect(lastGreen[0]).toBeLessThan(began + 2_000);
    expect(lastGreen[1]).toBeGreaterThan(began + heldMs - 1_000);
    expect(agreedAt - Math.max(...lastGreen)).toBeGreaterThanOrEqual(1_990);
    process.stdout.write(
      `by the proxies' counters, weight 0 held back ${heldMs} ms in one of two replicas: confirmed ${Math.round(agreedAt - began - heldMs)} ms after it was let go\n`,
    );
  });

  test('a request that is still answered when every replica has weight 0 keeps it from being confirmed', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(100));
    const slow = rig.send({ path: '/slow/1500' }).then((sent) => ({ ...sent, at: performance.now() }));
    while (rig.had.green === 0) await sleep(5);

    await rig.router.setWeights(blueAll, signal());
    const { seen, why } = await settled(rig.router);
    const agreedAt = performance.now();
    const { lane, at } = await slow;

    expect(seen).toEqual({ kind: 'agreed', weights: blueAll, pins: [] });
    expect(lane).toBe('green');
    expect(agreedAt - at).toBeGreaterThanOrEqual(1_990);
    expect(why.at(-1)).toBe('a lane without weight has answered a request less than 2 s ago');
  });

  test('a proxy that does not tell its requests keeps weight 0 from being confirmed, and no other weight', async () => {
    await using rig = await openRig();
    const router = openGatewayApiTraffic(uncountedTarget(rig, () => Promise.reject(new Error('gone'))));
    await inForce(router, green(50));

    await inForce(rig.router, blueAll);

    expect(await router.observe(signal())).toEqual({
      kind: 'pending',
      why: 'proxy proxy-green does not tell its requests: Error: gone',
    });
  });

  test("while a pin leads to a lane its weight 0 is confirmed by the replicas alone: its proxies count the pin's requests too", async () => {
    await using rig = await openRig();
    const pin = { header: 'X-Variant', value: 'b', lane: 'green' } as const;
    await inForce(rig.router, green(50));
    await rig.router.setPins([pin], signal());
    let isPinning = true;
    const pinning = (async () => {
      while (isPinning) await rig.send({ headers: { 'x-variant': 'b' } });
    })();

    await rig.router.setWeights(blueAll, signal());
    const { seen } = await settled(rig.router).finally(() => {
      isPinning = false;
    });
    await pinning;

    expect(seen).toEqual({ kind: 'agreed', weights: blueAll, pins: [pin] });
  });
});
