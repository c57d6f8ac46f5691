import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, jest, test } from '@jest/globals';
import { closedWeights, percent, type Weights, weightsFor } from '../lane.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { findAccess } from '../platform/kubernetes/find-access.ts';
import { kinds, pathOf } from '../platform/kubernetes/kinds.ts';
import { openTransport } from '../platform/kubernetes/transport.ts';
import { type GatewayRig, holdBack, ingressPorts, requestsAt, startGatewayRig } from './gateway.rig.ts';
import { newPair } from './ingress-nginx/new-pair.ts';
import { type IngressNginxTarget, openIngressNginxTraffic } from './ingress-nginx.ts';
import { laneServices } from './lane-services.ts';
import { findReplicas } from './replicas.ts';
import { inForce, keepSending, sendingOf, settled } from './sending.rig.ts';
import { describeTrafficRouter } from './traffic.contract.ts';
import type { TrafficRouter } from './traffic.ts';

/** Some are long by what they show, such as a replica that is held back for 10 s; each wait has its own limit. */
jest.setTimeout(90_000);

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
const blueAll = weightsFor('blue', percent(100));
const green = (share: number): Weights => weightsFor('green', percent(share));

function targetOf({ client, app, had, answered }: GatewayRig, fence = 0): IngressNginxTarget {
  const place = { client: client.in('gateway'), service: 'traefik', ports: ingressPorts, way: 'direct' } as const;
  return {
    client,
    main: app,
    canary: `${app}-canary`,
    names: { app, services: laneServices(app), closed: `${app}-closed` },
    fence: () => fence,
    replicas: (within) => findReplicas(place, within),
    proxiesOf: async (lane) => [{ name: lane, isReady: true, requests: () => requestsAt({ had, answered }, lane) }],
  };
}

// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? describe.skip : describe;

async function openRig(): Promise<GatewayRig & { readonly router: TrafficRouter }> {
  const rig = await startGatewayRig('ingresses');
  const target = targetOf(rig);
  const wanted = { name: rig.app, ingressClassName: 'nginx', host: rig.host, paths: ['/'], port: 80 };
  const { main, canary } = newPair(wanted, target.names);
  await rig.client.create(kinds.Ingress, main, signal());
  await rig.client.create(kinds.Ingress, canary, signal());
  return { ...rig, router: openIngressNginxTraffic(target) };
}

withGateway('a gateway', () => {
  describeTrafficRouter(
    'ingress-nginx',
    async () => {
      const rig = await openRig();
      return { ...rig, ...sendingOf(rig) };
    },
    {
      pinToBoth: 'its annotations pin to the canary',
      failAlone: 'the controller leaves a canary without endpoints out, and main gets everything',
    },
  );
});

withGateway('ingress-nginx with two replicas', () => {
  test('a promotion finds a lane for every request, and no request in flight is lost on the way there and back', async () => {
    await using rig = await openRig();
    await inForce(rig.router, blueAll);
    await using first = keepSending(rig, 0);
    await using second = keepSending(rig, 1);
    const slow = Array.from({ length: 50 }, (_, n) =>
      sleep(n * 40).then(() => rig.send({ path: '/slow/4000', replica: n % 2 })),
    );
    const took: number[] = [];

    for (const weights of [green(50), green(100), blueAll, green(100), blueAll]) {
      const began = performance.now();
      await inForce(rig.router, weights);
      took.push(Math.round(performance.now() - began));
    }

    expect((await Promise.all(slow)).filter(({ status }) => status !== 200)).toEqual([]);
    const quick = [...first.answers, ...second.answers];
    expect(quick.filter(({ status }) => status !== 200)).toEqual([]);
    process.stdout.write(
      `ingress-nginx: 50 slow and ${quick.length} quick requests through 5 changes, all answered; decision to confirmed ${took.join(', ')} ms (50 %, promotion, back, promotion, back)\n`,
    );
  });

  test('after a promotion the old lane may go: its endpoints serve nobody', async () => {
    await using rig = await openRig();
    await inForce(rig.router, blueAll);
    await inForce(rig.router, green(100));
    await rig.stop('blue');

    for (let n = 0; n < 20; n++) expect(await rig.send({ replica: n % 2 })).toEqual({ status: 200, lane: 'green' });
    expect((await settled(rig.router)).seen).toMatchObject({ kind: 'agreed', weights: green(100) });
  });

  test('a weight is confirmed when each replica has it, and main is not changed before', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(50));
    {
      using _ = holdBack();
      await rig.router.setWeights(green(25), signal());
      for (let n = 0; n < 20; n++) {
        expect((await rig.router.observe(signal())).kind).toBe('pending');
        await sleep(100);
      }
      const promotion = rig.router.setWeights(green(100), AbortSignal.timeout(2_000));
      await expect(promotion).rejects.toMatchObject({ name: 'TimeoutError' });
      const main = await rig.client.get(kinds.Ingress, rig.app, signal());
      expect(JSON.stringify(main)).not.toContain('"ratings-green"');
    }
    await inForce(rig.router, green(100));
  });
});

withGateway('ingress-nginx and other writers', () => {
  test('somebody else who writes weights is named, and a replaced driver refused', async () => {
    await using rig = await openRig();
    await inForce(rig.router, green(25));
    await writeWeightAs('kubectl-annotate', rig, '40');

    expect(await rig.router.observe(signal())).toEqual({
      kind: 'foreign',
      weights: green(40),
      pins: [],
      manager: 'kubectl-annotate',
    });
    const newer = openIngressNginxTraffic(targetOf(rig, 2));
    await inForce(newer, blueAll);
    await expect(rig.router.setWeights(green(50), signal())).rejects.toMatchObject({ code: 'LOCK_HELD' });
  });

  test('ingresses that are not there are TRAFFIC_UNREACHABLE, and closed is 503 for everybody', async () => {
    await using rig = await openRig();
    const router = openIngressNginxTraffic({ ...targetOf(rig), main: 'nobody' });

    await expect(router.observe(signal())).rejects.toMatchObject({ code: 'TRAFFIC_UNREACHABLE' });
    await inForce(rig.router, green(100));
    await inForce(rig.router, closedWeights);
    expect(await rig.send()).toEqual({ status: 503, lane: undefined });
  });
});

async function writeWeightAs(manager: string, { client, app }: GatewayRig, weight: string): Promise<void> {
  using transport = openTransport(findAccess({ kubeconfig: testCluster().kubeconfig }, process.env));
  const annotations = { 'nginx.ingress.kubernetes.io/canary-weight': weight };
  const reply = await transport.send(
    {
      method: 'PATCH',
      path: `${pathOf(kinds.Ingress, client.namespace, `${app}-canary`)}?fieldManager=${manager}`,
      doing: 'patch',
      body: { type: 'application/merge-patch+json', text: JSON.stringify({ metadata: { annotations } }) },
    },
    signal(),
  );
  expect(reply.status).toBe(200);
}
