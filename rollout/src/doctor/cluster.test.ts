import { expect, test } from '@jest/globals';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { parseSpec, type Spec } from '../spec.ts';
import { type ClusterFacts, checkCluster } from './cluster.ts';
import { strangeIn } from './counters.ts';

const named = (name: string, spec: Readonly<Record<string, unknown>> = {}) => ({ metadata: { name }, spec });

function spec(metrics = ', metrics: traefik'): Spec {
  const parsed = parseSpec(
    `app: ratings
services: { proxy: { source: p, port: 8080 } }
kubernetes: { namespace: demo, traffic: { gateway-api: { route: ratings }, replicas: { namespace: gw, service: traefik${metrics} } } }
`,
    { file: 'headgate.yaml' },
  );
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

const route = named('ratings', {
  rules: [{ backendRefs: ['ratings-blue', 'ratings-green'].map((name) => ({ name, port: 80 })) }],
});

function facts(changed: Partial<ClusterFacts> = {}): ClusterFacts {
  const budget = named('ratings-blue-proxy', {
    selector: {
      matchLabels: { 'headgate.dev/app': 'ratings', 'headgate.dev/lane': 'blue', 'headgate.dev/service': 'proxy' },
    },
  });
  return {
    version: '1.36',
    role: 'headgate-ratings-releaser',
    lacking: [],
    controllers: 2,
    lanes: [],
    standing: ['PodDisruptionBudget ratings-blue-proxy', 'HorizontalPodAutoscaler ratings-blue-proxy'],
    route: { named: 'HTTPRoute demo/ratings', object: route, writer: 'headgate' },
    routes: [],
    replicas: 2,
    uncounted: [],
    services: [
      named('ratings-blue', { selector: { 'headgate.dev/lane': 'blue' } }),
      named('db', { selector: { app: 'db' } }),
      named('bare'),
    ],
    podLabels: { proxy: { app: 'proxy' } },
    budgets: [budget],
    autoscalers: [named('ratings-blue-proxy', { scaleTargetRef: { name: 'ratings-blue-proxy' } })],
    queue: { kind: 'asked', unlike: [], foreign: [] },
    unseen: [],
    ...changed,
  };
}

const lane = (name: string) => ({ kind: kinds.Deployment, name, made: named(name), kept: named(name) });

test('checkCluster() names what bootstrap made by manifests that are gone, and no object of anybody else', () => {
  const frontend = { 'app.kubernetes.io/managed-by': 'headgate', 'headgate.dev/app': 'ratings' };
  const labels = { ...frontend, 'headgate.dev/lane': 'blue' };
  const scaler = (name: string, of: Readonly<Record<string, string>>) => ({
    metadata: { name, labels: of },
    spec: { scaleTargetRef: { name } },
  });
  const autoscalers = [
    scaler('ratings-blue-proxy', labels),
    scaler('ratings-blue-rating', labels),
    scaler('shop-blue-web', { ...labels, 'headgate.dev/app': 'shop' }),
    scaler('ratings-frontend', frontend),
    scaler('mine', { 'headgate.dev/app': 'ratings', 'headgate.dev/lane': 'blue' }),
  ];

  expect(checkCluster(spec(), facts({ autoscalers }))).toEqual([
    {
      kind: 'hint',
      about: 'HorizontalPodAutoscaler ratings-blue-rating',
      said: 'is in no manifest any more and stands all the same',
      cure: 'kubectl delete horizontalpodautoscaler ratings-blue-rating',
    },
  ]);
});

test('checkCluster() finds nothing where all is as bootstrap made it', () => {
  expect(checkCluster(spec(), facts())).toEqual([]);
});

test.each<{ what: string; changed: Partial<ClusterFacts>; about: string; said: string }>([
  {
    what: 'a cluster that is too old',
    changed: { version: '1.28' },
    about: 'the cluster',
    said: 'current value is "1.28"',
  },
  {
    what: 'rights',
    changed: { lacking: ['patch configmaps headgate-ratings-wishes'] },
    about: 'the rights of this user',
    said: 'may not patch configmaps headgate-ratings-wishes',
  },
  {
    what: 'a controller',
    changed: { controllers: 0 },
    about: 'the controller',
    said: 'orders wait for ever',
  },
  {
    what: 'a lane',
    changed: { lanes: [{ kind: 'make', object: lane('ratings-blue-proxy') }] },
    about: 'the lanes',
    said: 'must have Deployment ratings-blue-proxy',
  },
  {
    what: 'a lane as it was made',
    changed: {
      lanes: [
        {
          kind: 'refuse',
          object: lane('ratings-blue-proxy'),
          differences: [{ field: 'spec.selector', wanted: 'a', current: 'b' }],
        },
      ],
    },
    about: 'Deployment ratings-blue-proxy',
    said: 'spec.selector must be "a": current value is ""b""',
  },
  {
    what: 'a route',
    changed: { route: { named: 'HTTPRoute demo/ratings', object: undefined, writer: undefined } },
    about: 'HTTPRoute demo/ratings',
    said: 'is not there',
  },
  {
    what: 'a route of its own',
    changed: { route: { named: 'HTTPRoute demo/ratings', object: route, writer: 'argocd-controller' } },
    about: 'HTTPRoute demo/ratings',
    said: 'current value is "argocd-controller"',
  },
  {
    what: 'a place in the route',
    changed: {
      route: {
        named: 'HTTPRoute demo/ratings',
        object: named('ratings', { rules: [{ backendRefs: [{ name: 'shop', port: 80 }] }] }),
        writer: undefined,
      },
    },
    about: 'HTTPRoute demo/ratings',
    said: 'no rule of the route has both backends, ratings-blue and ratings-green',
  },
  { what: 'a router', changed: { replicas: 0 }, about: 'Service gw/traefik', said: 'ports named web and traefik' },
  {
    what: "a page of counters that is not the gateway's",
    changed: { uncounted: strangeIn('gw/one', 'process_start_time_seconds 1\n') },
    about: 'replica gw/one of the gateway',
    said: 'its page of counters has no traefik_config_reloads_total',
  },
  {
    what: 'the only way to its pods',
    changed: { services: [named('proxy', { selector: { app: 'proxy' } })] },
    about: 'Service proxy',
    said: 'past the weights',
  },
  {
    what: 'one budget',
    changed: {
      budgets: [
        ...facts().budgets,
        named('mine', { selector: { matchLabels: { 'headgate.dev/service': 'proxy', 'headgate.dev/lane': 'blue' } } }),
      ],
    },
    about: 'PodDisruptionBudgets ratings-blue-proxy, mine',
    said: 'nobody can evict',
  },
  {
    what: 'one autoscaler',
    changed: {
      autoscalers: [...facts().autoscalers, named('mine', { scaleTargetRef: { name: 'ratings-blue-proxy' } })],
    },
    about: 'HorizontalPodAutoscalers ratings-blue-proxy, mine',
    said: 'two fight',
  },
  {
    what: 'a stream',
    changed: { queue: { kind: 'asked', unlike: ['stream ratings-blue is not there'], foreign: [] } },
    about: 'the queue',
    said: 'stream ratings-blue is not there',
  },
  {
    what: 'the only publishers',
    changed: { queue: { kind: 'asked', unlike: [], foreign: [{ stream: 'old', subject: 'get.ratings' }] } },
    about: 'stream old',
    said: 'takes get.ratings',
  },
])('checkCluster() misses $what', ({ changed, about, said }) => {
  expect(checkCluster(spec(), facts(changed))).toEqual([
    { kind: 'missing', about, said: expect.stringContaining(said), cure: expect.stringMatching(/\w/) },
  ]);
});

test('checkCluster() says that a queue could not be asked', () => {
  const found = checkCluster(spec(), facts({ queue: { kind: 'unasked', why: 'no way to nats://nats:4222' } }));

  expect(found).toMatchObject([{ kind: 'hint', said: expect.stringContaining('no way to nats://nats:4222') }]);
});

test('checkCluster() holds nothing against a replica that could not be asked from here', () => {
  const uncounted = [{ replica: 'gw/one', kind: 'silent', why: 'pod one answers 403' }] as const;

  expect(checkCluster(spec(), facts({ uncounted }))).toMatchObject([
    { kind: 'hint', about: 'replica gw/one of the gateway', said: expect.stringContaining('answers 403') },
  ]);
});

test("checkCluster() says what is weaker where the lanes' proxies count for the gateway", () => {
  const found = checkCluster(spec(''), facts());

  expect(found).toMatchObject([
    {
      kind: 'hint',
      about: 'kubernetes.traffic.replicas',
      said: expect.stringMatching(/lanes' proxies count.*crash.*pin/),
      cure: expect.stringContaining('Traefik'),
    },
  ]);
});

test('checkCluster() says what this user may not see, and judges nothing of it', () => {
  const found = checkCluster(spec(), facts({ route: undefined, replicas: undefined, unseen: ['Cannot list pods'] }));

  expect(found).toMatchObject([
    { kind: 'hint', said: 'Cannot list pods', cure: expect.stringContaining('-bootstrap') },
  ]);
});
