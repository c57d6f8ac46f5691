import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSpec, type Spec } from '@headgate/rollout';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { kubectlEnv as env, repository } from '../cli/cluster.rig.ts';
import { revise } from './revise.ts';
import { renderTemplate } from './template.ts';

const signal = () => AbortSignal.timeout(20_000);

function specWith(manifests: (service: string) => string): Spec {
  const parsed = parseSpec(
    `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, replicas: 2, manifests: ${manifests('proxy')} }
  rating: { source: services/rating, pulls: [get.ratings], manifests: ${manifests('rating')} }
queue: { jetstream: nats://nats:4222 }
kubernetes: { namespace: ratings, traffic: { gateway-api: { route: ratings }, replicas: { service: traefik } } }
`,
    { file: 'headgate.yaml' },
  );
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

describe('renderTemplate() with the kubectl of this machine', () => {
  const overlay = (name: string) => specWith((service) => `services/${service}/deploy/overlays/${name}`);
  const revisionOf = async (spec: Spec) =>
    revise(spec, { proxy: `r/p@sha256:${'a'.repeat(64)}`, rating: `r/r@sha256:${'b'.repeat(64)}` }, undefined, {
      commit: undefined,
      template: await renderTemplate(spec, { root: repository, env }, signal()),
    });

  test.each(['dev', 'staging', 'prod'])(
    'overlay %s becomes pod templates in which the lane has no name yet',
    async (name) => {
      const { services } = await renderTemplate(overlay(name), { root: repository, env }, signal());

      for (const service of ['proxy', 'rating']) {
        expect(services[service]?.podTemplate?.metadata?.labels).toMatchObject({ 'headgate.dev/lane': '$(LANE)' });
        expect(services[service]?.podTemplate?.spec?.containers?.[0]).toMatchObject({
          name: service,
          readinessProbe: { httpGet: { path: '/readyz', port: 'admin' } },
          securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        });
      }
      expect(services['proxy']).toMatchObject({ replicas: 2, port: 8080 });
      const [config] = services['rating']?.configMaps ?? [];
      expect(config).toEqual({
        name: expect.stringMatching(/^ratings-\$\(LANE\)-rating-\w{10}$/),
        data: { PARALLELISM: '16' },
      });
      expect(services['rating']?.podTemplate?.spec?.containers?.[0]).toMatchObject({
        envFrom: [{ configMapRef: { name: config?.name } }],
      });
    },
  );

  test('equal manifests are one revision, other ones another', async () => {
    const [prod, again, dev] = await Promise.all([overlay('prod'), overlay('prod'), overlay('dev')].map(revisionOf));

    expect(again?.id).toBe(prod?.id);
    expect(dev?.id).not.toBe(prod?.id);
  });

  test('an app without Kubernetes needs no kubectl', async () => {
    const local = { ...overlay('prod'), kubernetes: undefined };

    const { services } = await renderTemplate(local, { root: repository, env: { PATH: '/nowhere' } }, signal());

    expect(services['proxy']).not.toHaveProperty('podTemplate');
  });
});

describe('renderTemplate() of broken manifests', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'headgate-manifests-'));
    await mkdir(join(root, 'deploy'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  test.each([
    { text: 'resources: [nothing.yaml]', says: 'nothing.yaml' },
    { text: 'configMapGenerator: [{ name: a, literals: [B=c] }]', says: 'must hold one Deployment' },
    { text: 'resources: {', says: 'must be able to build them' },
  ])('$text is refused in the words of kubectl', async ({ text, says }) => {
    await writeFile(join(root, 'deploy/kustomization.yaml'), text);

    await expect(
      renderTemplate(
        specWith(() => 'deploy'),
        { root, env },
        signal(),
      ),
    ).rejects.toMatchObject({
      code: 'MANIFESTS_INVALID',
      message: expect.stringContaining(says),
      hint: expect.stringContaining('deploy'),
    });
  });

  test('a folder that is not there is named', async () => {
    await expect(
      renderTemplate(
        specWith(() => 'deplyo'),
        { root, env },
        signal(),
      ),
    ).rejects.toMatchObject({
      code: 'MANIFESTS_INVALID',
      message: expect.stringContaining('Cannot render manifests "deplyo"'),
    });
  });
});
