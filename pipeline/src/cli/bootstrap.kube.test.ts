import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { openKubeClient } from '../../../rollout/src/platform/kubernetes/client.ts';
import { bindRole, kubeconfigAs } from '../../../rollout/src/platform/kubernetes/cluster.rig.ts';
import { bootstrapRoles, variablesOf } from './account.rig.ts';
import { aClusterShell, readCluster, repository } from './cluster.rig.ts';

// A control plane alone has none.
const withGateway = readCluster().gateways.length === 0 ? test.skip : test;

const gateway = ['--gateway', 'gateway/main', '--path', '/api'];

function whole(overlay: string) {
  return (namespace: string) => `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, manifests: services/proxy/deploy/overlays/${overlay} }
  rating: { source: services/rating, pulls: [get.ratings], manifests: services/rating/deploy/overlays/${overlay} }
queue: { jetstream: nats://nats:4222 }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik, metrics: traefik } }
`;
}

/** Without a queue, so that no NATS is needed. */
function plain(router: string) {
  return (namespace: string) => `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, manifests: services/proxy/deploy/overlays/prod }
kubernetes:
  namespace: ${namespace}
  traffic: { ${router}: { route: ratings }, replicas: { namespace: gateway, service: traefik, metrics: traefik } }
`;
}

describe('headgate bootstrap', () => {
  test.each([
    { overlay: 'dev', autoscalers: 0 },
    { overlay: 'staging', autoscalers: 4 },
    { overlay: 'prod', autoscalers: 4 },
  ])('--print of overlay $overlay is what the API server takes, for both lanes', async ({ overlay, autoscalers }) => {
    await using app = await aClusterShell(whole(overlay));

    const { code, out, err } = await app.run('bootstrap', ...gateway, '--frontend', 'web:80', '--print');
    const taken = await app.everywhere(['apply', '--server-side', '--dry-run=server', '-f', '-'], out);

    expect([code, err]).toEqual([0, '']);
    const names = taken.split('\n').map((line) => line.split(' ')[0] ?? '');
    const count = (kind: string) => names.filter((name) => name.startsWith(`${kind}`)).length;
    expect({
      autoscalers: count('horizontalpodautoscaler'),
      budgets: count('poddisruptionbudget'),
      policies: count('networkpolicy'),
      deployments: count('deployment'),
      services: count('service/'),
      routes: count('httproute'),
      roles: count('role.'),
      bindings: count('rolebinding'),
    }).toEqual({ autoscalers, budgets: 4, policies: 4, deployments: 4, services: 4, routes: 2, roles: 7, bindings: 2 });
    expect(await app.kubectl(['get', 'deployments', '-o', 'name'])).toBe('');
  });

  test('makes it once, brings back what changed, and leaves the bounds that a release holds', async () => {
    await using app = await aClusterShell(plain('gateway-api'));
    const autoscaler = 'horizontalpodautoscaler/ratings-blue-proxy';
    const bounds = async () =>
      app.kubectl(['get', autoscaler, '-o', 'jsonpath={.spec.minReplicas}-{.spec.maxReplicas}']);

    const first = await app.run('bootstrap', ...gateway);
    const again = await app.run('bootstrap', ...gateway);
    await app.kubectl(['patch', autoscaler, '-p', '{"spec":{"minReplicas":5}}']);
    const changed = await app.run('bootstrap', ...gateway);
    const restored = await bounds();
    await app.kubectl(['annotate', autoscaler, 'headgate.dev/autoscale=3-10']);
    await app.kubectl(['patch', autoscaler, '-p', '{"spec":{"minReplicas":7}}']);
    const held = await app.run('bootstrap', ...gateway);

    expect(first).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('made HorizontalPodAutoscaler ratings-green-proxy'),
    });
    expect(again.out).toBe('all is there\n');
    expect(changed.out).toBe('set HorizontalPodAutoscaler ratings-blue-proxy\n');
    expect(restored).toBe('3-10');
    expect([held.out, await bounds()]).toEqual(['all is there\n', '7-10']);
    expect((await app.kubectl(['get', 'poddisruptionbudgets', '-o', 'name'])).trim().split('\n')).toHaveLength(2);
  });

  test('is due, as who may only release is told, once its objects are not as the manifests say', async () => {
    await using app = await aClusterShell(plain('gateway-api'));
    await app.run('bootstrap', ...gateway);
    using admin = openKubeClient({ kubeconfig: app.kubeconfig, namespace: app.namespace });
    await bindRole(admin, 'headgate-ratings-releaser', 'releaser');
    await using config = await kubeconfigAs(app.namespace, 'releaser');
    process.env['HEADGATE_KUBECONFIG'] = config.path;
    // A registry that has nothing: nothing begins.
    using registry = await startServer('127.0.0.1', (_, response) => response.writeHead(404).end());
    const image = `127.0.0.1:${registry.port}/proxy@sha256:${'0'.repeat(64)}`;
    const release = () => app.run('release', `proxy=${image}`, '--reason', 'x');

    const before = await release();
    const file = join(app.cwd, 'services/proxy/deploy/base/autoscaler.yaml');
    await writeFile(file, (await readFile(file, 'utf8')).replace('maxReplicas: 10', 'maxReplicas: 12'));
    await app.kubectl(['delete', 'networkpolicy/ratings-green-proxy']);
    const after = await release();

    expect([before.code, before.err]).toEqual([12, expect.not.stringContaining('bootstrap')]);
    expect([after.code, after.err]).toEqual([
      12,
      expect.stringContaining(
        '`headgate bootstrap` is due: no release changes what is not as the manifests say: HorizontalPodAutoscaler ratings-blue-proxy, HorizontalPodAutoscaler ratings-green-proxy, NetworkPolicy ratings-green-proxy\n',
      ),
    ]);
  });

  test.each([
    { router: 'gateway-api', words: gateway },
    { router: 'ingress-nginx', words: ['--ingress-class', 'nginx', '--path', '/api'] },
  ])(
    '$router: is made by an account that holds what the owner of the cluster picks from --print, and nothing else',
    async ({ router, words }) => {
      await using app = await aClusterShell(plain(router));
      const args = ['bootstrap', ...words, '--frontend', 'web:80'];
      const { out } = await app.run(...args, '--print');
      await app.everywhere(['apply', '--server-side', '-f', '-', '-l', 'headgate.dev/rights=bootstrap'], out);
      const roles = bootstrapRoles('ratings', app.namespace);
      const own = await variablesOf(app, 'bootstrap', { folder: app.cwd, roles });
      process.env['HEADGATE_KUBECONFIG'] = own['HEADGATE_KUBECONFIG'];

      const first = await app.run(...args);
      const again = await app.run(...args);

      expect(first).toMatchObject({ code: 0, err: '' });
      expect(first.out).not.toMatch(/^(made|set) Role .*bootstrap$/m);
      expect(first.out).toContain(`made RoleBinding gateway/headgate-ratings-controller-${app.namespace}`);
      expect(again.out).toBe('all is there\n');
    },
  );

  test('refuses manifests that both lanes cannot have, and makes nothing', async () => {
    await using app = await aClusterShell(plain('gateway-api'));
    const file = join(app.cwd, 'services/proxy/deploy/base/autoscaler.yaml');
    await writeFile(
      file,
      'apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: { name: proxy }\nspec: { maxReplicas: 3, scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: proxy } }\n',
    );

    const { code, err } = await app.run('bootstrap', ...gateway);

    expect(code).toBe(64);
    expect(err).toContain('name must begin with "ratings-$(LANE)-": current value is "proxy"');
    expect(err).toContain(
      'scaleTargetRef must be Deployment ratings-$(LANE)-proxy: current value is "Deployment proxy"',
    );
    expect(await app.kubectl(['get', 'services,deployments', '-o', 'name'])).toBe('');
  });

  withGateway.each([
    { router: 'gateway-api', words: ['--gateway', 'gateway/main'], doors: 'gateways' },
    { router: 'ingress-nginx', words: ['--ingress-class', 'nginx'], doors: 'ingresses' },
  ] as const)(
    '$router: /api leads to the lanes, /ui and the rest to the frontend, 503 without a healthy one',
    async ({ router, words, doors }) => {
      await using app = await aClusterShell(plain(router));
      const host = `${app.namespace}.test`;
      using front = await startFront();
      await app.kubectl(['apply', '-f', '-'], frontend(front.port, false));
      const answers = async (path: string, wanted: number) =>
        Promise.all(readCluster()[doors].map((door) => answered(`${door}${path}`, host, wanted)));

      const made = await app.run('bootstrap', ...words, '--host', host, '--path', '/api', '--frontend', 'web:80');
      expect([made.err, made.code]).toEqual(['', 0]);
      for (const path of ['/api/ratings', '/ui/', '/elsewhere']) await answers(path, 503);
      await app.kubectl(['apply', '-f', '-'], frontend(front.port, true));

      expect(await answers('/ui/', 200)).toEqual(['/ui/', '/ui/']);
      expect(await answers('/elsewhere', 200)).toEqual(['/elsewhere', '/elsewhere']);
      await answers('/api/ratings', 503);
      expect((await app.run('bootstrap', ...words, '--host', host, '--path', '/api', '--frontend', 'web:80')).out).toBe(
        'all is there\n',
      );
    },
  );
});

describe('the controller', () => {
  test.each(['dev', 'staging', 'prod'])('overlay %s is what the API server takes', async (overlay) => {
    await using app = await aClusterShell(plain('gateway-api'));
    const folder = join(repository, 'rollout/deploy/overlays', overlay);

    const taken = await app.kubectl(['apply', '--dry-run=server', '-k', folder]);

    expect(taken.split('\n').filter((line) => line.endsWith('(server dry run)'))).toHaveLength(4);
  });
});

/** Answers with the path that it was asked for. */
function startFront(): ReturnType<typeof startServer> {
  return startServer('10.111.0.1', (asked, response) => response.end(asked.url));
}

async function startServer(host: string, answer: RequestListener): Promise<Disposable & { readonly port: number }> {
  const server = createServer(answer).listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A Service whose one pod is a server of the test, on the node's address. */
function frontend(port: number, ready: boolean): string {
  const name = 'web';
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port }],
    endpoints: [{ addresses: ['10.111.0.1'], conditions: { ready, serving: ready } }],
  };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ name: 'http', port: 80 }] },
  };
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [service, slice] });
}

/** What stands in the answer, once it has this status. */
async function answered(url: string, host: string, wanted: number): Promise<string> {
  for (const signal = AbortSignal.timeout(15_000); ; await sleep(50, undefined, { signal })) {
    const { status, body } = await ask(url, host, signal);
    if (status === wanted) return body;
  }
}

async function ask(url: string, host: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const sent = request(url, { headers: { host }, agent: false, signal }).end();
  const [answer] = (await once(sent, 'response', { signal })) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: await text(answer) };
}
