/** What an autoscaler reads, as if nobody used any CPU: the resource metrics API of the test cluster, served from this process. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { type Kind, kinds } from '../platform/kubernetes/kinds.ts';
import type { Pod } from './kubernetes/objects.ts';

const apiVersion = 'metrics.k8s.io/v1beta1';
const apiService: Kind = {
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  plural: 'apiservices',
  namespaced: false,
};
const name = 'v1beta1.metrics.k8s.io';

/** `client`: in the namespace whose pods are idle; the server stands there too. Those that are `busy` use a whole one. */
export async function serveIdleUsage(
  client: KubeClient,
  busy: (pod: Pod) => boolean = () => false,
): Promise<AsyncDisposable> {
  const signal = AbortSignal.timeout(20_000);
  const address = new URL(testCluster().gateways[0] ?? 'http://none').hostname; // The node's own.
  const server = createServer(await selfSigned(), async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://usage');
    const isPods = pathname.endsWith('/pods');
    const labels = searchParams.get('labelSelector') ?? '';
    const body = isPods
      ? await usageOf(client, labels, busy)
      : { kind: 'APIResourceList', groupVersion: apiVersion, resources: [] };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
  server.listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const ports = [{ name: 'https', port: 443, targetPort: port, protocol: 'TCP' }];
  await client.create(kinds.Service, { metadata: { name: 'usage' }, spec: { ports } } as KubeObject, signal);
  const slice = {
    metadata: { name: 'usage', labels: { 'kubernetes.io/service-name': 'usage' } },
    addressType: 'IPv4',
    ports: [{ name: 'https', port, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  };
  await client.create(kinds.EndpointSlice, slice, signal);
  const [group, version] = apiVersion.split('/');
  const service = { name: 'usage', namespace: client.namespace };
  const spec = {
    group,
    version,
    service,
    insecureSkipTLSVerify: true,
    groupPriorityMinimum: 100,
    versionPriority: 100,
  };
  await client.create(apiService, { metadata: { name }, spec } as KubeObject, signal);
  return {
    async [Symbol.asyncDispose]() {
      await client.remove(apiService, name, AbortSignal.timeout(10_000));
      server.closeAllConnections();
      server.close();
    },
  };
}

async function usageOf(client: KubeClient, labels: string, busy: (pod: Pod) => boolean) {
  const { items } = await client.list<Pod>(kinds.Pod, { labels }, AbortSignal.timeout(10_000));
  return {
    kind: 'PodMetricsList',
    apiVersion,
    metadata: {},
    items: items.map((pod) => ({
      metadata: { name: pod.metadata.name, namespace: client.namespace, labels: pod.metadata.labels },
      timestamp: new Date().toISOString(),
      window: '1s',
      containers: (pod.spec?.containers ?? []).map(({ name: container }) => ({
        name: container,
        usage: { cpu: busy(pod) ? '1' : '1m', memory: '1Mi' },
      })),
    })),
  };
}

async function selfSigned(): Promise<{ readonly key: Buffer; readonly cert: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-usage-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=usage'];
    await promisify(execFile)('openssl', ['req', ...kind, '-keyout', key, '-out', cert]);
    return { key: await readFile(key), cert: await readFile(cert) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
