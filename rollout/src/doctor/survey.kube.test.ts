import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { openAs, temporaryNamespace, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { rolesOf } from '../platform/kubernetes/roles.ts';
import { parseSpec } from '../spec.ts';
import { countElsewhere, gatewayPorts } from '../traffic/gateway.rig.ts';
import { surveyCluster } from './survey.ts';

const signal = (): AbortSignal => AbortSignal.timeout(20_000);
// A control plane alone has none.
const withGateway = testCluster().gateways.length === 0 ? describe.skip : describe;
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;

beforeAll(async () => {
  namespace = await temporaryNamespace();
  for (const role of rolesOf({ app: 'shop', route: 'shop' })) await namespace.client.create(kinds.Role, role, signal());
});
afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

describe('surveyCluster()', () => {
  test.each([
    { role: 'viewer', driver: 'controller', lacks: 'patch configmaps headgate-shop-wishes' },
    { role: 'releaser', driver: 'controller', lacks: undefined },
    { role: 'releaser', driver: 'cli', lacks: 'update deployments' },
    { role: 'driver', driver: 'cli', lacks: undefined },
  ])('as a $role with driver $driver lacks $lacks, and sees what it may see', async ({ role, driver, lacks }) => {
    const account = `headgate-shop-${role}`;
    await using client = await openAs(namespace.client, account, `${role}-${driver}`);
    await inForce(client);
    const { spec, kubernetes } = aSpec(driver);

    const { lacking, unseen, lanes, version } = await surveyCluster({ spec, kubernetes, client }, {}, signal());

    if (lacks === undefined) expect(lacking).toEqual([]);
    else expect(lacking).toContain(lacks);
    expect(version).toMatch(/^1\.\d+$/);
    // The router is in a namespace of which this role says nothing.
    expect(unseen).toContainEqual(expect.stringContaining('endpointslices'));
    expect(lanes).toHaveLength(10);
  });
});

withGateway('surveyCluster() of a gateway', () => {
  test('tells a metrics port that leads to another process from one that leads to the gateway', async () => {
    await using elsewhere = await countElsewhere(namespace.client, 'process_start_time_seconds 1\n');
    const uncountedOf = async (replicas: string) => {
      const { spec, kubernetes } = aSpec('cli', replicas);
      return (await surveyCluster({ spec, kubernetes, client: namespace.client }, {}, signal())).uncounted;
    };

    const port = `listener: ${gatewayPorts.listener}, metrics: ${gatewayPorts.metrics}`;

    expect(await uncountedOf(`{ namespace: gateway, service: traefik, ${port} }`)).toEqual([]);
    expect(await uncountedOf(`{ namespace: ${namespace.name}, service: ${elsewhere.service}, ${port} }`)).toEqual([
      {
        replica: expect.stringMatching(/^[\d.]+:\d+$/),
        kind: 'strange',
        why: 'its page of counters has no traefik_config_reloads_total',
      },
    ]);
  });
});

/** The API server hears of a binding some time after it has stored it. Every role of ours sees ConfigMaps. */
async function inForce(client: KubeClient): Promise<void> {
  for (const within = signal(); ; await sleep(20, undefined, { signal: within })) {
    const listed = await client.list(kinds.ConfigMap, {}, within).catch(() => undefined);
    if (listed !== undefined) return;
  }
}

function aSpec(driver: string, replicas = '{ namespace: gateway, service: traefik }') {
  const parsed = parseSpec(
    `app: shop
services: { web: { source: web, port: 8080 } }
kubernetes:
  namespace: ${namespace.name}
  traffic: { gateway-api: { route: shop }, replicas: ${replicas} }
  driver: ${driver}
`,
    { file: 'headgate.yaml' },
  );
  if (parsed.kind === 'issues' || parsed.spec.kubernetes === undefined) throw new Error('a spec on a cluster');
  return { spec: parsed.spec, kubernetes: parsed.spec.kubernetes };
}
