import { describe, expect, test } from '@jest/globals';
import { percent, weightsFor } from '../../lane.ts';
import { difference } from '../../metrics/difference.ts';
import type { KubernetesSpec } from '../../spec.ts';
import { type GatewayRig, startGatewayRig } from '../../traffic/gateway.rig.ts';
import { makeGatewayRoute } from '../../traffic/gateway-route.rig.ts';
import { newPair } from '../../traffic/ingress-nginx-new-pair.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import { settled } from '../../traffic/sending.rig.ts';
import { kinds } from './kinds.ts';
import { openRouting } from './routing.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

function open({ client, app }: GatewayRig, kind: KubernetesSpec['traffic']['kind'], listener: string) {
  const replicas = { namespace: 'gateway', service: 'traefik', listener, metrics: 'traefik' };
  const kubernetes: KubernetesSpec = {
    namespace: client.namespace,
    traffic: { kind, route: app, replicas },
    driver: 'cli',
  };
  const proxies = { labels: 'app=ratings', port: 9090 };
  return openRouting({ app, kubernetes, client, fence: () => 7, way: 'direct', proxies });
}

describe('openRouting()', () => {
  test('gateway-api: weights are confirmed and counted by what headgate.yaml names', async () => {
    await using rig = await startGatewayRig('gateways');
    await makeGatewayRoute(rig);
    const { traffic, metrics } = open(rig, 'gateway-api', 'web');
    await traffic.setWeights(weightsFor('green', percent(50)), signal());
    expect((await settled(traffic)).seen).toMatchObject({ kind: 'agreed', weights: { blue: 50, green: 50 } });
    const before = await metrics.observe(signal());

    for (let n = 0; n < 20; n++) await rig.send({ replica: n % 2 });

    for (const within = signal(); ; within.throwIfAborted()) {
      const counts = difference(before, await metrics.observe(within));
      if (counts === undefined || counts.blue.weighted.requests + counts.green.weighted.requests < 20) continue;
      expect([counts.blue.weighted.requests, counts.green.weighted.requests]).toEqual([rig.had.blue, rig.had.green]);
      break;
    }
  });

  test('ingress-nginx: weights are confirmed by what headgate.yaml names', async () => {
    await using rig = await startGatewayRig('ingresses');
    const names = { app: rig.app, services: laneServices(rig.app), closed: `${rig.app}-closed` };
    const wanted = { name: rig.app, ingressClassName: 'nginx', host: rig.host, paths: ['/'], port: 80 };
    const { main, canary } = newPair(wanted, names);
    await rig.client.create(kinds.Ingress, main, signal());
    await rig.client.create(kinds.Ingress, canary, signal());
    const { traffic, metrics } = open(rig, 'ingress-nginx', 'nginx');

    await traffic.setWeights(weightsFor('green', percent(25)), signal());

    expect((await settled(traffic)).seen).toMatchObject({ kind: 'agreed', weights: { blue: 75, green: 25 } });
    await expect(metrics.observe(signal())).rejects.toMatchObject({ code: 'METRICS_UNREACHABLE' }); // No pod runs here.
  });
});
