import { expect, test } from '@jest/globals';
import { manifestIssues, manifestObjects } from './lane-manifests.ts';
import { describeLanes } from './lane-objects.ts';

const place = { app: 'ratings', service: 'proxy' };
const labels = { 'headgate.dev/app': 'ratings', 'headgate.dev/lane': '$(LANE)', 'headgate.dev/service': 'proxy' };
const name = 'ratings-$(LANE)-proxy';
const autoscaler = (target = name, metadata: object = { name }) => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: metadata as { name: string },
  spec: {
    minReplicas: 3,
    maxReplicas: 10,
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
  },
});
const budget = (matchLabels: object = labels, apiVersion = 'policy/v1') => ({
  apiVersion,
  kind: 'PodDisruptionBudget',
  metadata: { name },
  spec: { maxUnavailable: 1, selector: { matchLabels } },
});

test('manifestObjects() gives each lane its own, marked as ours, and leaves out what a release carries', () => {
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec: {} };
  const named = autoscaler(name, { name, namespace: 'elsewhere', labels: { team: 'film' } });

  const objects = manifestObjects({ ...place, lane: 'green' }, [deployment, named]);

  expect(objects).toEqual([
    expect.objectContaining({
      name: 'ratings-green-proxy',
      made: {
        metadata: {
          name: 'ratings-green-proxy',
          labels: {
            team: 'film',
            'app.kubernetes.io/managed-by': 'headgate',
            'headgate.dev/app': 'ratings',
            'headgate.dev/lane': 'green',
            'headgate.dev/service': 'proxy',
          },
        },
        spec: expect.objectContaining({ scaleTargetRef: expect.objectContaining({ name: 'ratings-green-proxy' }) }),
      },
    }),
  ]);
});

test("describeLanes() has one budget for a pod: the manifests' own in place of the default one", () => {
  const services = { proxy: { port: 8080 } };

  const objects = describeLanes({ app: 'ratings', services, manifests: { proxy: [budget()] } });

  const kindsOf = objects.filter(({ name: of }) => of === 'ratings-blue-proxy').map(({ kind }) => kind.kind);
  expect(kindsOf.toSorted()).toEqual(['Deployment', 'NetworkPolicy', 'PodDisruptionBudget']);
});

test.each([
  { object: autoscaler(name, { name: 'proxy' }), rule: 'name must begin with "ratings-$(LANE)-"', current: 'proxy' },
  {
    object: autoscaler('proxy'),
    rule: 'scaleTargetRef must be Deployment ratings-$(LANE)-proxy',
    current: 'Deployment proxy',
  },
  {
    object: budget({ 'headgate.dev/app': 'ratings', 'headgate.dev/service': 'proxy' }),
    rule: 'selector must have headgate.dev/lane: $(LANE)',
    current: '{"matchLabels":{"headgate.dev/app":"ratings","headgate.dev/service":"proxy"}}',
  },
  { object: budget(labels, 'policy/v1beta1'), rule: 'apiVersion must be "policy/v1"', current: 'policy/v1beta1' },
])('manifestIssues() says that $rule', ({ object, rule, current }) => {
  expect(manifestIssues(place, [object])).toEqual([
    { object: `${object.kind} ${object.metadata.name}`, rule, current },
  ]);
});

test('manifestObjects() refuses with everything that is wrong', () => {
  const refused = () =>
    manifestObjects({ ...place, lane: 'blue' }, [autoscaler('proxy', { name: 'proxy' }), budget({})]);

  expect(refused).toThrow(
    expect.objectContaining({
      code: 'MANIFESTS_INVALID',
      message: expect.stringMatching(/name must begin with.*\n.*scaleTargetRef must be.*\n.*selector must have/),
    }),
  );
});
