import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '@headgate/rollout';
import { startNats } from '@headgate/rollout/servers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from 'nats';
import { aClusterShell } from './cluster.rig.ts';

const entrance = ['--gateway', 'gateway/main', '--host', 'ratings.test', '--path', '/api'];
let nats: Awaited<ReturnType<typeof startNats>>;

beforeAll(async () => {
  nats = await startNats();
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
});

const app = (namespace: string): string => `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, manifests: services/proxy/deploy/overlays/prod }
  rating: { source: services/rating, pulls: [get.ratings], manifests: services/rating/deploy/overlays/prod }
queue: { jetstream: '${nats.url}' }
kubernetes:
  namespace: ${namespace}
  traffic: { gateway-api: { route: ratings }, replicas: { namespace: gateway, service: traefik, metrics: traefik } }
`;

describe('headgate doctor', () => {
  test('of an app as bootstrap made it misses nothing, and says what GitOps must leave alone', async () => {
    await using shell = await aClusterShell((namespace) => `${app(namespace)}  driver: cli\n`);
    expect(await shell.run('bootstrap', ...entrance)).toMatchObject({ code: 0, err: '' });

    const { code, out, err } = await shell.run('doctor');

    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('✓ nothing is missing\n');
    expect(out).toContain('RespectIgnoreDifferences=true');
    expect(out).toContain('kustomize.toolkit.fluxcd.io/ssa: IfNotPresent');
  });

  test('names the autoscalers that no manifest has any more: they scale on', async () => {
    await using shell = await aClusterShell((namespace) => `${app(namespace)}  driver: cli\n`);
    await shell.run('bootstrap', ...entrance);
    const base = join(shell.cwd, 'services/proxy/deploy/base/kustomization.yaml');
    await writeFile(base, (await readFile(base, 'utf8')).replace('autoscaler.yaml, ', ''));

    const { code, out } = await shell.run('doctor');

    expect([code, out.match(/HorizontalPodAutoscaler \S+ is in no manifest/g)]).toEqual([
      0,
      ['blue', 'green'].map((lane) => `HorizontalPodAutoscaler ratings-${lane}-proxy: is in no manifest`),
    ]);
    expect(out).toContain('kubectl delete horizontalpodautoscaler ratings-blue-proxy\n');
  });

  test('of a broken app names each thing that is missing, and how to mend it', async () => {
    await using shell = await aClusterShell(app);
    await shell.run('bootstrap', ...entrance);
    await shell.kubectl(['delete', 'service', 'ratings-green']);
    await shell.kubectl([
      'patch',
      'deployment',
      'ratings-blue-proxy',
      '-p',
      '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}',
    ]);
    await shell.kubectl(['create', 'service', 'clusterip', 'mine', '--tcp=80:8080']);
    await shell.kubectl(['set', 'selector', 'service', 'mine', 'headgate.dev/service=proxy']);
    await shell.kubectl([
      'create',
      'poddisruptionbudget',
      'mine',
      '--selector=headgate.dev/service=proxy',
      '--min-available=1',
    ]);
    const rules = [{ op: 'add', path: '/spec/rules/0/matches/0/path/value', value: '/other' }];
    await shell.kubectl([
      'patch',
      'httproute',
      'ratings',
      '--field-manager=argocd-controller',
      '--type=json',
      '-p',
      JSON.stringify(rules),
    ]);
    await shell.kubectl(['apply', '-f', '-'], twin);
    await publishElsewhere();
    const overlay = join(shell.cwd, 'services/rating/deploy/overlays/prod/kustomization.yaml');
    await writeFile(
      overlay,
      `resources: [../../base]
patches:
  - target: { kind: Deployment }
    patch: |
      - { op: remove, path: /spec/template/spec/containers/0/readinessProbe }
`,
    );

    const { code, out } = await shell.run('doctor', '--json');

    const { findings, gitops } = JSON.parse(out) as { findings: Finding[]; gitops: { argocd: string } };
    const missed = findings.filter(({ kind }) => kind === 'missing').map(({ about, said }) => `${about}: ${said}`);
    expect(code).toBe(1);
    expect(missed).toEqual([
      expect.stringContaining(
        'services/rating/deploy/overlays/prod, rating: container rating must have a readinessProbe',
      ),
      'the controller: must run in the namespace of the app, or orders wait for ever',
      'the lanes: must have Service ratings-green',
      expect.stringContaining('Deployment ratings-blue-proxy: spec.strategy.type must be "RollingUpdate"'),
      expect.stringContaining('its rules must be written by Headgate alone: current value is "argocd-controller"'),
      expect.stringContaining('Service mine: must not select pods of the lanes'),
      expect.stringContaining(
        'PodDisruptionBudgets mine, ratings-blue-proxy: one must mean the pods of proxy in lane blue',
      ),
      expect.stringContaining('PodDisruptionBudgets mine, ratings-green-proxy'),
      expect.stringContaining('stream old: takes get.ratings'),
    ]);
    expect(findings).toContainEqual({
      kind: 'hint',
      about: 'HTTPRoute twin',
      said: expect.stringContaining('asks for any host /other as HTTPRoute ratings does'),
      cure: expect.any(String),
    });
    expect(gitops.argocd).toContain('HTTPRoute');
  });

  test('without a cluster says so, and looks at the rest all the same', async () => {
    await using shell = await aClusterShell((namespace) => app(namespace).replace('overlays/prod', 'overlays/nowhere'));
    const kubeconfig = process.env['HEADGATE_KUBECONFIG'];
    process.env['HEADGATE_KUBECONFIG'] = '/nowhere';

    const { code, out } = await shell.run('doctor');
    process.env['HEADGATE_KUBECONFIG'] = kubeconfig;

    expect(code).toBe(1);
    expect(out).toContain('✗ the manifests: Cannot render manifests "services/proxy/deploy/overlays/nowhere"');
    expect(out).toContain('✗ the cluster: Cannot read kubeconfig "/nowhere"');
  });
});

/** A younger route for the same path of the same gateway. */
const twin = JSON.stringify({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'twin' },
  spec: {
    parentRefs: [{ namespace: 'gateway', name: 'main' }],
    rules: [
      { matches: [{ path: { type: 'PathPrefix', value: '/other' } }], backendRefs: [{ name: 'mine', port: 80 }] },
    ],
  },
});

/** As an application that knows nothing of lanes. */
async function publishElsewhere(): Promise<void> {
  const connection = await connect({ servers: nats.url });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'old', subjects: ['get.*'] });
  await connection.close();
}
