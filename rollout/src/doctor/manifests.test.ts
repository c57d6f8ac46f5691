import { expect, test } from '@jest/globals';
import { parseSpec, type Spec } from '../spec.ts';
import { checkManifests } from './manifests.ts';

const labels = { 'headgate.dev/app': 'ratings', 'headgate.dev/service': 'proxy', 'headgate.dev/lane': '$(LANE)' };
const probe = { httpGet: { path: '/readyz', port: 'admin' } };

function deployment(service: string, pod: object = {}, container: object = {}) {
  const containers = [{ name: service, image: service, readinessProbe: probe, ...container }];
  const metadata = { name: `ratings-$(LANE)-${service}` };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { template: { spec: { containers, ...pod } } } };
}

function autoscaler(maxReplicas: number) {
  const name = 'ratings-$(LANE)-proxy';
  const spec = { maxReplicas, scaleTargetRef: { kind: 'Deployment', name } };
  return { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name }, spec };
}

function spec(env = '{}'): Spec {
  const parsed = parseSpec(
    `app: ratings
services:
  proxy: { source: p, port: 8080, replicas: 3, env: ${env}, manifests: deploy/proxy }
  rating: { source: r, pulls: [get.ratings], manifests: deploy/rating }
queue: { jetstream: nats://nats:4222 }
`,
    { file: 'headgate.yaml' },
  );
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

test('checkManifests() finds nothing in manifests that say no more than they must', () => {
  const manifests = { proxy: [deployment('proxy'), autoscaler(10)], rating: [deployment('rating')] };

  expect(checkManifests(spec(), manifests)).toEqual([]);
});

test.each([
  { what: 'no Deployment', objects: [], said: 'must hold one Deployment with a container: current value is "0"' },
  {
    what: 'no readiness probe',
    objects: [deployment('proxy', {}, { readinessProbe: undefined })],
    said: 'must have a readinessProbe',
  },
  {
    what: 'an end without preStop',
    objects: [deployment('proxy', {}, { lifecycle: { postStart: {} } })],
    said: 'must have a preStop',
  },
  {
    what: 'less time than its preStop and an answer take',
    objects: [
      deployment(
        'proxy',
        { terminationGracePeriodSeconds: 20 },
        { lifecycle: { preStop: { sleep: { seconds: 15 } } } },
      ),
    ],
    said: 'must be at least 25, its preStop, the time of an answer and 5 s more: current value is "20"',
  },
  {
    what: 'less time than a slow answer takes',
    objects: [deployment('proxy', {}, { env: [{ name: 'REQUEST_TIMEOUT_MS', value: '30000' }] })],
    said: 'must be at least 38',
  },
  {
    what: 'a port of the node',
    objects: [deployment('proxy', {}, { ports: [{ hostPort: 80 }] })],
    said: 'current value is "hostPort: 80"',
  },
  {
    what: 'an autoscaler without room',
    objects: [deployment('proxy'), autoscaler(2)],
    said: 'room for the 3 replicas of headgate.yaml: current value is "2"',
  },
  {
    what: 'a budget for both lanes',
    objects: [
      deployment('proxy'),
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'ratings-$(LANE)-proxy' },
        spec: { selector: { matchLabels: { app: 'proxy' } } },
      },
    ],
    said: 'its selector must have headgate.dev/app: ratings, headgate.dev/lane: $(LANE), headgate.dev/service: proxy',
  },
])('checkManifests() misses what a lane needs: $what', ({ objects, said }) => {
  expect(checkManifests(spec(), { proxy: objects })).toEqual([
    expect.objectContaining({
      kind: 'missing',
      said: expect.stringContaining(said),
      cure: expect.stringMatching(/\w/),
    }),
  ]);
});

test('checkManifests() believes headgate.yaml before the manifests', () => {
  const proxy = [deployment('proxy', {}, { env: [{ name: 'REQUEST_TIMEOUT_MS', value: '30000' }] })];

  expect(checkManifests(spec('{ REQUEST_TIMEOUT_MS: "1000" }'), { proxy })).toEqual([]);
});

test.each([
  {
    what: 'a worker that may take long to end',
    service: 'rating',
    objects: [deployment('rating', { terminationGracePeriodSeconds: 60 })],
    said: 'up to 60 s',
  },
  {
    what: 'a volume that both lanes write to',
    service: 'proxy',
    objects: [deployment('proxy', { volumes: [{ name: 'data', persistentVolumeClaim: {} }] })],
    said: 'volume data is shared',
  },
  {
    what: 'a spread over both lanes',
    service: 'proxy',
    objects: [
      deployment('proxy', { topologySpreadConstraints: [{ labelSelector: { matchLabels: { app: 'proxy' } } }] }),
    ],
    said: 'count the pods of both lanes',
  },
  {
    what: 'an object that nobody applies',
    service: 'proxy',
    objects: [
      deployment('proxy', { topologySpreadConstraints: [{ labelSelector: { matchLabels: labels } }] }),
      { kind: 'Service', metadata: { name: 'proxy' } },
    ],
    said: 'applies no Service proxy',
  },
])('checkManifests() hints at $what', ({ service, objects, said }) => {
  expect(checkManifests(spec(), { [service]: objects })).toEqual([
    expect.objectContaining({ kind: 'hint', said: expect.stringContaining(said) }),
  ]);
});
