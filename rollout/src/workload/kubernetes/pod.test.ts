import { expect, test } from '@jest/globals';
import type { PodTemplate } from '../../revision.ts';
import { aRevision } from '../revision.rig.ts';
import { podTemplateOf } from './pod.ts';

const revision = aRevision();

function podOf(service: 'proxy' | 'rating', podTemplate: PodTemplate = {}, env: Record<string, string> = {}) {
  const template = { ...revision.template.services[service]!, env, podTemplate };
  const pod = podTemplateOf(
    { app: 'ratings', existing: undefined, lane: 'green', service, revision, template },
    'nats://nats:4222',
  );
  return { ...pod, main: pod.spec!.containers![0]! };
}

function envOf(main: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const written = main['env'] as { name: string; value?: string; valueFrom?: unknown }[];
  return Object.fromEntries(written.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
}

test('podTemplateOf() gives a proxy the environment of every platform, its image by digest, and least privilege', () => {
  const { spec, main, metadata } = podOf('proxy');

  expect(envOf(main)).toEqual({
    HEADGATE_APP: 'ratings',
    HEADGATE_LANE: 'green',
    HEADGATE_SERVICE: 'proxy',
    HEADGATE_REVISION: revision.id,
    NATS_URL: 'nats://nats:4222',
    SUBJECT_PREFIX: 'ratings-green',
    HOST: '0.0.0.0',
    PORT: '8080',
    ADMIN_PORT: '9090',
  });
  expect(main['image']).toBe(`localhost:1/proxy@${revision.digests['proxy']}`);
  expect(main).toMatchObject({
    ports: [
      { name: 'http', containerPort: 8080 },
      { name: 'admin', containerPort: 9090 },
    ],
    readinessProbe: { httpGet: { path: '/readyz', port: 'admin' } },
    livenessProbe: { httpGet: { path: '/healthz', port: 'admin' } },
    lifecycle: { preStop: { sleep: { seconds: 3 } } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  });
  expect(spec).toMatchObject({
    terminationGracePeriodSeconds: 13,
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    topologySpreadConstraints: [{ labelSelector: { matchLabels: { 'headgate.dev/lane': 'green' } } }],
  });
  expect(metadata).toEqual({
    labels: {
      'headgate.dev/app': 'ratings',
      'headgate.dev/lane': 'green',
      'headgate.dev/service': 'proxy',
      'headgate.dev/revision': revision.id.slice(0, 16),
    },
    annotations: { 'headgate.dev/revision': revision.id, 'headgate.dev/probe': '/probe' },
  });
});

test('podTemplateOf() stops a worker at once and within 5 s', () => {
  const { spec, main } = podOf('rating');

  expect(spec).toMatchObject({ terminationGracePeriodSeconds: 5 });
  expect(main).not.toHaveProperty('lifecycle');
  expect(envOf(main)).toMatchObject({ SERVICE_CONSUMER_NAME: 'ratings-green-rating' });
});

test('podTemplateOf() keeps what manifests say, with the lane in it, and a sidecar', () => {
  const { spec, main, metadata } = podOf('rating', {
    metadata: { labels: { team: 'film', 'headgate.dev/lane': 'blue' } },
    spec: {
      priorityClassName: 'high',
      imagePullSecrets: [{ name: 'ghcr' }],
      securityContext: { fsGroup: 7 },
      containers: [
        { name: 'logs', image: 'logs@sha256:1' },
        {
          name: 'rating',
          image: 'dev',
          resources: { requests: { memory: '1Gi' } },
          readinessProbe: { exec: { command: ['/ready'] } },
          volumeMounts: [{ name: 'settings-$(LANE)', mountPath: '/settings' }],
        },
      ],
    },
  });

  expect(metadata?.labels).toMatchObject({ team: 'film', 'headgate.dev/lane': 'green' });
  expect(spec).toMatchObject({
    priorityClassName: 'high',
    imagePullSecrets: [{ name: 'ghcr' }],
    securityContext: { fsGroup: 7, runAsNonRoot: true },
  });
  expect(spec?.containers?.map(({ name }) => name)).toEqual(['rating', 'logs']);
  expect(main).toMatchObject({
    image: `localhost:1/rating@${revision.digests['rating']}`,
    resources: { requests: { memory: '1Gi', cpu: '50m' } },
    volumeMounts: [{ name: 'settings-green' }],
  });
  expect(main['readinessProbe']).toEqual({ exec: { command: ['/ready'] } });
});

test('podTemplateOf() takes headgate.yaml before manifests, manifests before defaults, and who it is from nobody', () => {
  const secret = { secretKeyRef: { name: 'nats', key: 'url' } };
  const env = [
    { name: 'NATS_URL', valueFrom: secret },
    { name: 'PARALLELISM', value: '1' },
    { name: 'HEADGATE_LANE', value: 'blue' },
  ];

  const { main } = podOf('rating', { spec: { containers: [{ name: 'rating', env }] } }, { PARALLELISM: '8' });

  expect(envOf(main)).toMatchObject({ NATS_URL: secret, PARALLELISM: '8', HEADGATE_LANE: 'green' });
});

test('podTemplateOf() lets Kubernetes put nothing in place of a value', () => {
  const { main } = podOf('rating', {}, { PRICE: '$(HOST) costs $5, $$' });

  expect(envOf(main)['PRICE']).toBe('$$(HOST) costs $$5, $$$$');
});
