import { expect, test } from '@jest/globals';
import { configMapsIn, podTemplateIn, renderManifests } from './manifests.ts';

const deployment = (spec: object) => ({ kind: 'Deployment', metadata: { name: 'proxy' }, spec });
const inFolder = (...objects: { kind: string; metadata: { name: string } }[]) => ({
  service: 'proxy',
  folder: 'services/proxy/deploy',
  objects,
});
const template = { spec: { containers: [{ name: 'proxy' }] } };

test('podTemplateIn() is the template of the Deployment, whatever else is there', () => {
  const manifests = inFolder({ kind: 'Service', metadata: { name: 'proxy' } }, deployment({ template }));

  expect(podTemplateIn(manifests)).toBe(template);
});

test.each([
  { objects: [], value: 'nothing' },
  { objects: [{ kind: 'Service', metadata: { name: 'proxy' } }], value: 'Service proxy' },
  { objects: [deployment({ template }), deployment({ template })], value: 'Deployment proxy, Deployment proxy' },
  { objects: [deployment({ template: { spec: { containers: [] } } })], value: 'Deployment proxy' },
])('podTemplateIn() of $value names the folder, the rule and the cure', ({ objects, value }) => {
  expect(() => podTemplateIn(inFolder(...objects))).toThrow(
    expect.objectContaining({
      code: 'MANIFESTS_INVALID',
      message: `Cannot release service "proxy" as its manifests "services/proxy/deploy" must hold one Deployment with a container: current value is "${value}"`,
      hint: 'name the Deployment of proxy under resources in services/proxy/deploy/kustomization.yaml',
    }),
  );
});

test('configMapsIn() are the immutable ones, with the lane still unnamed', () => {
  const data = { PARALLELISM: '16' };
  const config = { kind: 'ConfigMap', metadata: { name: 'ratings-$(LANE)-rating-4f2' }, data, immutable: true };

  expect(configMapsIn(inFolder(config, deployment({ template })))).toEqual([
    { name: 'ratings-$(LANE)-rating-4f2', data },
  ]);
});

test.each([
  { kind: 'ConfigMap', metadata: { name: 'ratings-$(LANE)-rating' }, data: {} },
  { kind: 'ConfigMap', metadata: { name: 'ratings-rating-4f2' }, data: {}, immutable: true },
])('configMapsIn() refuses what could change under pods: $metadata.name, immutable $immutable', (object) => {
  expect(() => configMapsIn(inFolder(object))).toThrow(
    expect.objectContaining({ code: 'MANIFESTS_INVALID', hint: expect.stringContaining('immutable: true') }),
  );
});

test('renderManifests() says what to install where kubectl is missing', async () => {
  const rendering = { root: '/nowhere', env: { PATH: '/nowhere' } };

  const rendered = renderManifests({ service: 'proxy', folder: 'deploy' }, rendering, AbortSignal.timeout(5_000));

  await expect(rendered).rejects.toMatchObject({
    code: 'TOOL_MISSING',
    message: 'Cannot render manifests "deploy" as kubectl must be on the PATH',
    hint: expect.stringContaining('install kubectl'),
  });
});
