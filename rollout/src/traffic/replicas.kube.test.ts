import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { closedWeights, percent, weightsFor } from '../lane.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { type GatewayRig, startGatewayRig } from './gateway.rig.ts';
import { markPath } from './gateway-api/own-rules.ts';
import { openGatewayApiTraffic } from './gateway-api.ts';
import { makeGatewayRoute, shown, targetOf } from './gateway-route.rig.ts';
import { makeRunningPod } from './pod.rig.ts';
import { directReplica, type EndpointSlice, findReplicas, type ReplicaPlace } from './replicas.ts';
import { settled } from './sending.rig.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? test.skip : test;
let rig: GatewayRig;

/** A gateway whose replicas are pods, of which one is not ready, one shuts down, and one is gone. */
beforeAll(async () => {
  rig = await startGatewayRig('gateways');
  await makeGatewayRoute(rig);
  for (const address of ['10.111.0.1', '10.111.0.2']) {
    await shown(directReplica({ address, listener: 8000, metrics: 8002 }), rig, { weights: closedWeights, pins: [] });
  }
  await makeRunningPod(rig.client, 'gateway-one', '10.111.0.1');
  await makeRunningPod(rig.client, 'gateway-two', '10.111.0.2');
  const pod = (name: string, address: string, conditions: object) => ({
    addresses: [address],
    conditions,
    targetRef: { kind: 'Pod', name, namespace: rig.client.namespace },
  });
  const slice: EndpointSlice & { readonly addressType: string } = {
    metadata: { name: 'gateway', labels: { 'kubernetes.io/service-name': 'gateway' } },
    addressType: 'IPv4',
    ports: [
      { name: 'web', port: 8000 },
      { name: 'traefik', port: 8002 },
    ],
    endpoints: [
      pod('gateway-one', '10.111.0.1', { ready: true, serving: true, terminating: false }),
      pod('gateway-two', '10.111.0.2', { ready: false, serving: true, terminating: true }),
      pod('gateway-gone', '10.111.0.3', { ready: false, serving: false, terminating: true }),
    ],
  };
  await rig.client.create(kinds.EndpointSlice, slice, signal());
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const place = (way: ReplicaPlace['way'], changed: Partial<ReplicaPlace> = {}): ReplicaPlace => ({
  client: rig.client,
  service: 'gateway',
  ports: { listener: 'web', metrics: 'traefik' },
  way,
  ...changed,
});

withGateway.each([
  { way: 'direct', names: ['10.111.0.1:8000', '10.111.0.2:8000'] },
  { way: 'proxy', names: ['gateway-one', 'gateway-two'] },
] as const)('findReplicas() finds each replica that serves, and asks it by itself ($way)', async ({ way, names }) => {
  const replicas = await findReplicas(place(way), signal());

  expect(replicas.map(({ name }) => name.split('/').at(-1))).toEqual(names);
  for (const replica of replicas) {
    const { status, headers } = await replica.get({ path: markPath('ratings'), headers: { host: rig.host } }, signal());
    expect([status, headers.location]).toEqual([302, expect.stringContaining('blue-0-green-0-')]);
    expect(await replica.counters(signal())).toMatch(/^process_start_time_seconds /m);
  }
});

withGateway('weights are confirmed from outside of the cluster too', async () => {
  const replicas = (within: AbortSignal) => findReplicas(place('proxy'), within);
  const router = openGatewayApiTraffic({ ...targetOf(rig), replicas });

  await router.setWeights(weightsFor('blue', percent(100)), signal());

  expect((await settled(router)).seen).toMatchObject({ kind: 'agreed', weights: { blue: 100 } });
});

withGateway('findReplicas() finds nobody behind a Service or port that is not there', async () => {
  expect(await findReplicas(place('direct', { service: 'nobody' }), signal())).toEqual([]);
  const ports = { listener: 'nobody', metrics: 'traefik' };
  expect(await findReplicas(place('direct', { ports }), signal())).toEqual([]);
});
