import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { type Lane, lanes, percent, weightsFor } from '../../lane.ts';
import { difference } from '../../metrics/difference.ts';
import type { KubernetesSpec } from '../../spec.ts';
import { countElsewhere, type GatewayRig, startGatewayRig } from '../../traffic/gateway.rig.ts';
import { makeGatewayRoute } from '../../traffic/gateway-route.rig.ts';
import { newPair } from '../../traffic/ingress-nginx/new-pair.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import { makeRunningPod } from '../../traffic/pod.rig.ts';
import { settled } from '../../traffic/sending.rig.ts';
import { testCluster } from './cluster.rig.ts';
import { kinds } from './kinds.ts';
import { marks } from './lane-names.ts';
import { openRouting } from './routing.ts';
import { openSender } from './send-through.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? describe.skip : describe;

type Kind = KubernetesSpec['traffic']['kind'];

function through({ client, app }: GatewayRig, kind: Kind): KubernetesSpec {
  const listener = kind === 'gateway-api' ? 'web' : 'nginx';
  const replicas = { namespace: 'gateway', service: 'traefik', listener, metrics: 'traefik' };
  return { namespace: client.namespace, traffic: { kind, route: app, replicas }, driver: 'cli' };
}

function open(rig: GatewayRig, kind: Kind, changed: Partial<KubernetesSpec['traffic']> = {}, port = 9090) {
  const { client, app } = rig;
  const as = through(rig, kind);
  const kubernetes = { ...as, traffic: { ...as.traffic, ...changed } };
  const proxies = { labels: 'app=ratings', port };
  return openRouting({ app, kubernetes, client, fence: () => 7, way: 'direct', proxies });
}

function send(rig: GatewayRig, kind: Kind) {
  const { client, app } = rig;
  return openSender({ app, kubernetes: through(rig, kind), client, way: 'direct' })(
    { path: '/any', headers: {} },
    signal(),
  );
}

/** One pod of each lane, whose page tells what the lane's server has answered. They share a port, as pods do. */
async function startPages(rig: GatewayRig): Promise<AsyncDisposable & { readonly port: number }> {
  const addresses = { blue: '10.111.0.1', green: '10.111.0.2' };
  const start = async (lane: Lane, port: number) => {
    const page = () =>
      `headgate_info{app="${rig.app}",lane="${lane}"} 1\nheadgate_requests_total{class="2xx"} ${rig.answered[lane]}\n`;
    const server = createServer((_, response) => response.end(page()));
    server.listen(port, addresses[lane]);
    await once(server, 'listening');
    await makeRunningPod(rig.client, `proxy-${lane}`, addresses[lane], { [marks.lane]: lane });
    return server;
  };
  const blue = await start('blue', 0);
  const { port } = blue.address() as AddressInfo;
  const servers = [blue, await start('green', port)];
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.close().closeAllConnections();
    },
  };
}

async function makePair({ client, app }: GatewayRig, host: string): Promise<void> {
  const names = { app, services: laneServices(app), closed: `${app}-closed` };
  const { main, canary } = newPair({ name: app, ingressClassName: 'nginx', host, paths: ['/'], port: 80 }, names);
  await client.create(kinds.Ingress, main, signal());
  await client.create(kinds.Ingress, canary, signal());
}

withGateway('openRouting()', () => {
  test('gateway-api: weights are confirmed and counted by what headgate.yaml names', async () => {
    await using rig = await startGatewayRig('gateways');
    await makeGatewayRoute(rig);
    const { traffic, metrics } = open(rig, 'gateway-api');
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

  test("gateway-api without a port of counters: weights are confirmed and counted by the lanes' proxies", async () => {
    await using rig = await startGatewayRig('gateways');
    await makeGatewayRoute(rig);
    await using pages = await startPages(rig);
    const replicas = { ...through(rig, 'gateway-api').traffic.replicas, metrics: undefined };
    const { traffic, metrics } = open(rig, 'gateway-api', { replicas }, pages.port);
    await traffic.setWeights(weightsFor('green', percent(50)), signal());
    expect((await settled(traffic)).seen).toMatchObject({ kind: 'agreed', weights: { blue: 50, green: 50 } });
    const before = await metrics.observe(signal());

    for (let n = 0; n < 20; n++) await rig.send({ replica: n % 2 });
    const counts = difference(before, await metrics.observe(signal()));
    await traffic.setWeights(weightsFor('blue', percent(100)), signal());
    const { seen, why } = await settled(traffic);

    expect(lanes.map((lane) => counts?.[lane].weighted.requests)).toEqual([rig.had.blue, rig.had.green]);
    expect(rig.had.blue + rig.had.green).toBe(20);
    expect(seen).toMatchObject({ kind: 'agreed', weights: { blue: 100, green: 0 } });
    expect(why).toContain('a lane without weight has answered a request less than 2 s ago');
  });

  test("gateway-api: a page that is not the gateway's is no traffic of 0, but none that is seen", async () => {
    await using rig = await startGatewayRig('gateways');
    await makeGatewayRoute(rig);
    await using elsewhere = await countElsewhere(rig.client, 'process_start_time_seconds 1\n');
    const { traffic } = through(rig, 'gateway-api');
    const replicas = { ...traffic.replicas, namespace: rig.client.namespace, service: elsewhere.service };
    const { metrics } = open(rig, 'gateway-api', { replicas });

    await expect(metrics.observe(signal())).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
      message: expect.stringContaining('has no traefik_config_reloads_total'),
    });
  });

  test('ingress-nginx: weights are confirmed by what headgate.yaml names', async () => {
    await using rig = await startGatewayRig('ingresses');
    await makePair(rig, rig.host);
    const { traffic, metrics } = open(rig, 'ingress-nginx');

    await traffic.setWeights(weightsFor('green', percent(25)), signal());

    expect((await settled(traffic)).seen).toMatchObject({ kind: 'agreed', weights: { blue: 75, green: 25 } });
    await expect(metrics.observe(signal())).rejects.toMatchObject({ code: 'METRICS_UNREACHABLE' }); // No pod runs here.
  });
});

withGateway('openSender()', () => {
  test.each(['the host', 'a wildcard'])('meets a rule for %s of an ingress, as a user does', async (what) => {
    await using rig = await startGatewayRig('ingresses');
    await makePair(rig, what === 'the host' ? rig.host : `*.${rig.host}`);
    const { traffic } = open(rig, 'ingress-nginx');
    await traffic.setWeights(weightsFor('green', percent(100)), signal());
    expect((await settled(traffic)).seen).toMatchObject({ kind: 'agreed', weights: { blue: 0, green: 100 } });

    const answer = await send(rig, 'ingress-nginx');

    expect(answer).toMatchObject({ kind: 'answered', status: 200, lane: 'green' });
  });

  test('meets a rule for the host of an HTTPRoute', async () => {
    await using rig = await startGatewayRig('gateways');
    await makeGatewayRoute(rig);
    const { traffic } = open(rig, 'gateway-api');
    await traffic.setWeights(weightsFor('blue', percent(100)), signal());
    expect((await settled(traffic)).seen).toMatchObject({ kind: 'agreed' });

    const answer = await send(rig, 'gateway-api');

    expect(answer).toMatchObject({ kind: 'answered', status: 200, lane: 'blue' });
  });
});
