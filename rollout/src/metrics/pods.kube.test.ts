import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Lane, lanes, type PerLane } from '../lane.ts';
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { temporaryNamespace } from '../platform/kubernetes/cluster.rig.ts';
import { makeRunningPod } from '../traffic/pod.rig.ts';
import { describeMetrics } from './metrics.contract.ts';
import type { Metrics } from './metrics.ts';
import { openPodProcesses } from './pod-processes.ts';
import { findPods, type PodPlace } from './pods.ts';
import type { ProcessSeen } from './processes.ts';
import { counted, type ProxiesRig, startProxies } from './proxies.rig.ts';
import { proxyCounts } from './proxies.ts';
import { openScrapedMetrics } from './scrape.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
/** Addresses of the node, which the API server reaches like those of pods. */
const addresses: PerLane<string> = { blue: '10.111.0.1', green: '10.111.0.2' };

let proxies: ProxiesRig;
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;

beforeAll(async () => {
  namespace = await temporaryNamespace();
  proxies = await startProxies('ratings', addresses);
  for (const lane of lanes) await makeRunningPod(namespace.client, `ratings-${lane}`, addresses[lane]);
}, 60_000);
afterAll(async () => {
  await proxies?.[Symbol.asyncDispose]();
  await namespace[Symbol.asyncDispose]();
});

function open(way: PodPlace['way'], client: KubeClient = namespace.client): Metrics {
  const place = { client, labels: 'app=ratings', port: proxies.adminPort, way };
  return openScrapedMetrics({
    what: 'the proxies of ratings',
    sources: (within) => findPods(place, within),
    countsIn: proxyCounts('ratings'),
    always: undefined,
  });
}

for (const way of ['direct', 'proxy'] as const) {
  describeMetrics(
    `pods (${way})`,
    async () => {
      const metrics = open(way);
      await metrics.observe(signal());
      return {
        metrics,
        request: (lane, _, outcome) => counted(metrics, lane, () => proxies.request(lane, outcome)),
        restart: () => proxies.restart(),
        async [Symbol.asyncDispose]() {},
      };
    },
    { tellPinned: 'a proxy does not know why a request came to its lane' },
  );
}

describe('pods in trouble', () => {
  test('without a pod that answers it is METRICS_UNREACHABLE', async () => {
    await using empty = await temporaryNamespace();

    await expect(open('direct', empty.client).observe(signal())).rejects.toMatchObject({
      code: 'METRICS_UNREACHABLE',
      message: expect.stringContaining('none was found'),
    });
  });

  test('a pod that does not answer does not keep the others from being read', async () => {
    await makeRunningPod(namespace.client, 'ratings-gone', '10.111.0.99');
    const metrics = open('direct');
    await metrics.observe(signal());

    await counted(metrics, 'green', () => proxies.request('green', 'passed'));
  });
});

describe('pods as Processes', () => {
  test.each(['direct', 'proxy'] as const)('tell what they counted, and who they are (%s)', async (way) => {
    const { client } = namespace;
    const labelsOf = (lane: Lane): string => (lane === 'blue' ? 'app=ratings' : 'app=nobody');
    const processes = openPodProcesses({
      existing: undefined,
      client,
      app: 'ratings',
      port: proxies.adminPort,
      way,
      labelsOf,
    });
    const read = async () => (await processes.observe('blue', signal())).filter(({ series }) => series !== undefined);
    const before = await read();

    await proxies.request('blue', 'passed');
    const after = await read();

    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(new Set(after.map(({ id }) => id)).size).toBe(2);
    const count = (seen: readonly ProcessSeen[]) =>
      seen.reduce((sum, { series }) => sum + (series?.['latency'] ?? 0), 0);
    expect(count(after) - count(before)).toBe(1);
    expect(await processes.observe('green', signal())).toEqual([]);
  });
});
