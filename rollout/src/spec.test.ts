import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Spec, SpecIssue } from './spec.ts';
import { formatIssues, parseSpec } from './spec.ts';

const whole = `app: ratings
services:
  proxy: { source: services/proxy, port: 8080, replicas: 2, env: { PATH_PREFIX: /api }, manifests: services/proxy/deploy }
  rating:
    source: services/rating
    pulls: [get.ratings, post.ratings]
queue: { jetstream: nats://nats:4222 }
kubernetes:
  namespace: ratings
  traffic: { gateway-api: { route: ratings }, replicas: { service: traefik, namespace: gateway } }
release:
  strategy: canary
  steps: [5%, 25%, 50%]
  bake: 3m
environments:
  staging: { release: { steps: [50%], bake: 500ms } }
  prod: {}
`;

function specOf(text: string, environment?: string): Spec {
  const parsed = parseSpec(text, { file: 'headgate.yaml', ...(environment === undefined ? {} : { environment }) });
  if (parsed.kind === 'issues') throw new Error(formatIssues(parsed.issues));
  return parsed.spec;
}

function issuesOf(text: string, environment?: string): readonly SpecIssue[] {
  const parsed = parseSpec(text, { file: 'headgate.yaml', ...(environment === undefined ? {} : { environment }) });
  return parsed.kind === 'issues' ? parsed.issues : [];
}

/** One issue as a person would tell it. */
function told({ line, column, path, rule, value }: SpecIssue): string {
  return `${line}:${column} ${path} ${rule}${value === undefined ? '' : ` (${value})`}`;
}

test('parseSpec() gives the parts that were left out their defaults', () => {
  const spec = specOf('app: a\nservices: { p: { source: p, port: 80 } }');

  expect(spec).toEqual({
    app: 'a',
    services: {
      p: { source: 'p', port: 80, replicas: 1, env: {}, pulls: [], probe: '/', manifests: undefined },
    },
    queue: undefined,
    kubernetes: undefined,
    infra: {},
    frontend: undefined,
    baseImage: undefined,
    release: {
      strategy: 'canary',
      steps: [5, 25, 50],
      pins: [],
      bakeMs: 180_000,
      tolerate: 'default',
      latency: 'rollback',
      metrics: {},
      synthetic: undefined,
      deadlineMs: 7_200_000,
      atDeadline: 'hold',
      watchMs: 600_000,
      keepWarmMs: 1_800_000,
      onNewCommit: 'wait',
      approve: false,
      connectionGraceMs: 10_000,
      migrate: undefined,
    },
    perf: { msMax: { p50: 50, p95: 200, p99: 400 }, perSec: 1_000, tolerancePercent: 10, tolerance99Percent: 25 },
    approvers: [],
    webhook: undefined,
  });
});

test('parseSpec() waits for latencies before promotion on a cluster, not on one machine, unless told', () => {
  const local = 'app: a\nservices: { p: { source: p, port: 80 } }\n';

  expect(specOf(whole).release.latency).toBe('promote');
  expect(specOf(local).release.latency).toBe('rollback');
  expect(specOf(`${local}release: { latency: promote }\n`).release.latency).toBe('promote');
});

test('parseSpec() reads every part that is written', () => {
  const spec = specOf(whole);

  expect(spec.services['proxy']).toMatchObject({ env: { PATH_PREFIX: '/api' }, manifests: 'services/proxy/deploy' });
  expect(spec.services['rating']).toMatchObject({
    port: undefined,
    probe: undefined,
    pulls: ['get.ratings', 'post.ratings'],
  });
  expect(spec.queue).toEqual({ url: 'nats://nats:4222', adopt: 'bind', existing: undefined });
  expect(spec.kubernetes).toEqual({
    namespace: 'ratings',
    traffic: {
      kind: 'gateway-api',
      route: 'ratings',
      replicas: { namespace: 'gateway', service: 'traefik', listener: 'web', metrics: undefined },
    },
    driver: 'controller',
  });
});

test.each(['bind', 'redeploy', 'answer'])('parseSpec() reads queue.adopt: %s', (adopt) => {
  expect(specOf(whole.replace('nats:4222 }', `nats:4222, adopt: ${adopt} }`)).queue).toMatchObject({ adopt });
});

test('parseSpec() reads what ran before, on a cluster alone', () => {
  const text = whole.replace(
    'nats:4222 }',
    'nats:4222, existing: { stream: requests, consumers: { rating: worker } } }',
  );
  const local = text.replace(/kubernetes:\n.*\n.*\n/, '');

  expect(specOf(text).queue?.existing).toEqual({ stream: 'requests', consumers: { rating: 'worker' } });
  expect(issuesOf(local).map(told)).toEqual(['7:39 queue.existing must not be written without a part "kubernetes"']);
});

const withMetrics = `${whole.replace('  bake: 3m\n', '')}`.replace(
  'environments:',
  `  metrics:
    orders:
      prometheus: http://prometheus:9090
      failures: lost{lane="$(LANE)"}
      total: orders{lane="$(LANE)"}
    basket: { webhook: "http://quality/counts/$(LANE)", tolerate: strict, dryRun: true }
    p99: { prometheus: "http://prometheus:9090", value: 'p99{lane="$(LANE)"}', max: 0.5, looks: 2 }
    spare: { webhook: "http://quality/spare/$(LANE)", min: -1 }
environments:`,
);

test('parseSpec() reads who hears of an end', () => {
  expect(specOf(`${whole}notify: { webhook: https://chat.example/hook }\n`).webhook).toBe('https://chat.example/hook');
});

test('parseSpec() reads who may approve, for each environment its own', () => {
  const text = `${whole.replace('prod: {}', 'prod: { approvers: [lee] }')}approvers: [kim, k.im-2]\n`;

  expect(specOf(text).approvers).toEqual(['kim', 'k.im-2']);
  expect(specOf(text, 'prod').approvers).toEqual(['lee']);
});

test('parseSpec() reads synthetic requests, ten a second unless told', () => {
  const written = (synthetic: string) => whole.replace('bake: 3m', `synthetic: ${synthetic}`);

  expect(specOf(written('{ requests: [/a, /b?c=d] }')).release.synthetic).toEqual({
    requests: ['/a', '/b?c=d'],
    perSec: 10,
  });
  expect(specOf(written('{ requests: [/a], perSecond: 50 }')).release.synthetic?.perSec).toBe(50);
  expect(issuesOf(written('{ requests: [] }')).map(told)).toEqual([
    '14:16 release.synthetic.requests must name a request',
  ]);
  expect(issuesOf(written('{ requests: [a], perSecond: 0 }')).map(told)).toEqual([
    '14:27 release.synthetic.requests[0] must be a path that begins with / ("a")',
    '14:42 release.synthetic.perSecond must be a whole number from 1 to 100 ("0")',
  ]);
  expect(issuesOf(written('{ perSecond: 5 }')).map(told)).toEqual(['14:3 release.synthetic.requests must be written']);
});

test("parseSpec() reads metrics of the user's own, counted and limited", () => {
  expect(specOf(withMetrics).release.metrics).toEqual({
    orders: {
      kind: 'failures',
      from: {
        kind: 'prometheus',
        url: 'http://prometheus:9090',
        failures: 'lost{lane="$(LANE)"}',
        total: 'orders{lane="$(LANE)"}',
      },
      tolerate: 'default',
      dryRun: false,
    },
    basket: {
      kind: 'failures',
      from: { kind: 'webhook', url: 'http://quality/counts/$(LANE)' },
      tolerate: 'strict',
      dryRun: true,
    },
    p99: {
      kind: 'limit',
      from: { kind: 'prometheus', url: 'http://prometheus:9090', value: 'p99{lane="$(LANE)"}' },
      min: undefined,
      max: 0.5,
      looks: 2,
      dryRun: false,
    },
    spare: {
      kind: 'limit',
      from: { kind: 'webhook', url: 'http://quality/spare/$(LANE)' },
      min: -1,
      max: undefined,
      looks: 3,
      dryRun: false,
    },
  });
  expect(
    specOf(withMetrics.replace('strategy:', 'tolerate: relaxed\n  strategy:')).release.metrics['orders'],
  ).toMatchObject({
    tolerate: 'relaxed',
  });
});

const selector =
  'must be a selector of counters that names the lane, such as errors_total{lane="$(LANE)"}: Headgate sums and subtracts by itself';

test.each([
  [
    '    orders:',
    '    Orders:',
    '15:5 release.metrics.Orders must be named with at most 30 lower-case letters, digits and inner dashes, a letter first ("Orders")',
  ],
  [
    '      total: orders{lane="$(LANE)"}\n',
    '',
    '15:5 release.metrics.orders must have failures and total, as there is neither min nor max',
  ],
  ['lost{lane="$(LANE)"}', 'lost', `17:17 release.metrics.orders.failures ${selector} ("lost")`],
  [
    'lost{lane="$(LANE)"}',
    'rate(lost{lane="$(LANE)"}[1m])',
    `17:17 release.metrics.orders.failures ${selector} ("rate(lost{lane=\\"$(LANE)\\"}[1m])")`,
  ],
  [
    'http://prometheus:9090\n',
    'http://me:secret@prometheus\n',
    '16:19 release.metrics.orders.prometheus must be an address such as http://prometheus.monitoring:9090, without user, password and / at its end ("http://me:secret@prometheus")',
  ],
  [
    'counts/$(LANE)',
    'counts',
    '19:25 release.metrics.basket.webhook must be an address that names the lane, such as http://quality:8080/counts?lane=$(LANE), without user and password ("http://quality/counts")',
  ],
  ['basket: { webhook', 'basket: { web', '19:5 release.metrics.basket must have one source, prometheus or webhook'],
  [
    'tolerate: strict',
    'total: x',
    '19:64 release.metrics.basket.total must be left out, as a webhook answers with the numbers ("x")',
  ],
  ['tolerate: strict', 'looks: 3', '19:64 release.metrics.basket.looks must stand beside min or max ("3")'],
  [
    'looks: 2',
    'tolerate: strict',
    '20:100 release.metrics.p99.tolerate must be left out of a limit, which has no error rate ("strict")',
  ],
  ['looks: 2', 'min: 0.5', '20:95 release.metrics.p99.min must be less than max, 0.5 ("0.5")'],
  ['max: 0.5', 'max: half', '20:85 release.metrics.p99.max must be a number such as 0.5 ("half")'],
  [
    ', max: 0.5, looks: 2',
    '',
    '20:5 release.metrics.p99 must have failures and total, as there is neither min nor max',
  ],
  [`value: 'p99{lane="$(LANE)"}', `, '', '20:5 release.metrics.p99.value must be written, as a limit needs a query'],
  [
    `value: 'p99{lane="$(LANE)"}'`,
    'value: p99',
    '20:57 release.metrics.p99.value must be a query that names the lane as $(LANE) ("p99")',
  ],
])('parseSpec() refuses %j of a metric written as %j', (part, to, issue) => {
  expect(withMetrics).toContain(part);

  expect(issuesOf(withMetrics.replace(part, () => to)).map(told)).toContain(issue);
});

test('parseSpec() takes a rolling update where there is a cluster, and there alone', () => {
  const [services = '', after = ''] = whole.split(/^kubernetes:\n/m);
  const cluster = after.slice(0, after.indexOf('release:'));
  const release = 'release: { strategy: rolling }\n';

  expect(specOf(`${services}kubernetes:\n${cluster}${release}`).release).toMatchObject({
    strategy: 'rolling',
    steps: [],
  });
  expect(issuesOf(services + release).map(told)).toEqual([
    '8:22 release.strategy must not be rolling without a part "kubernetes" ("rolling")',
  ]);
});

test('parseSpec() gives an environment that rolls nothing of the release of the others but its migration', () => {
  const image = `host/migrate@sha256:${'a'.repeat(64)}`;
  const text = whole
    .replace('staging: { release: { steps: [50%], bake: 500ms } }', 'staging: { release: { strategy: rolling } }')
    .replace('  bake: 3m\n', `  bake: 3m\n  migrate: { image: ${image}, command: [up] }\n`);
  const migrate = { image, command: ['up'] };

  expect(specOf(text, 'staging').release).toMatchObject({ strategy: 'rolling', steps: [], migrate });
  expect(specOf(text, 'prod').release).toMatchObject({ strategy: 'canary', steps: [5, 25, 50], migrate });
});

test('parseSpec() takes the limits of the performance gate, each by itself and for each environment', () => {
  const text = whole.replace('release:', 'perf: { p50: 150ms, p95: 300ms }\nrelease:');
  const staged = text.replace(
    'prod: {}',
    'prod: { perf: { p99: 2s, perSecond: 200, tolerance: 15%, tolerance99: 40% } }',
  );

  expect(specOf(text).perf).toEqual({
    msMax: { p50: 150, p95: 300, p99: 400 },
    perSec: 1_000,
    tolerancePercent: 10,
    tolerance99Percent: 25,
  });
  expect(specOf(staged, 'prod').perf).toEqual({
    msMax: { p50: 150, p95: 300, p99: 2_000 },
    perSec: 200,
    tolerancePercent: 15,
    tolerance99Percent: 40,
  });
});

test('parseSpec() tells all mistakes of the performance gate at once', () => {
  const text = whole.replace('release:', 'perf: { p50: 6s, p95: x, perSecond: 1, tolerance: 200%, p90: 1s }\nrelease:');

  expect(new Set(issuesOf(text).map(({ path }) => path))).toEqual(
    new Set(['perf.p50', 'perf.p95', 'perf.perSecond', 'perf.tolerance', 'perf.p90']),
  );
});

test('parseSpec() merges the chosen environment over the rest and replaces lists', () => {
  expect(specOf(whole, 'staging').release).toMatchObject({ strategy: 'canary', steps: [50], bakeMs: 500 });
  expect(specOf(whole, 'prod').release).toMatchObject({ steps: [5, 25, 50], bakeMs: 180_000 });
});

test('parseSpec() lets an environment bring what the rest of the file lacks', () => {
  const text = 'app: a\nenvironments: { dev: { services: { p: { source: p, port: 80 } } } }';

  expect(specOf(text, 'dev').app).toBe('a');
  expect(issuesOf(text).map(told)).toEqual(['1:1 services must be written']);
});

test.each([
  [
    'app: ratings',
    'app: Ratings',
    '1:6 app must be at most 30 lower-case letters, digits and inner dashes, a letter first ("Ratings")',
  ],
  ['app: ratings', 'app: ratings-blue', '1:6 app must not end in the name of a lane (blue, green) ("ratings-blue")'],
  ['app: ratings', 'app:', '1:1 app must be text (nothing)'],
  [
    'app: ratings',
    'ap: ratings',
    '1:1 ap must be one of app, services, queue, kubernetes, infra, frontend, image, release, perf, approvers, notify, environments ("ap")',
  ],
  ['app: ratings', 'app: !!str ratings', '1:6 app must have no YAML tag ("!!str")'],
  ['port: 8080', 'port: 80800', '3:42 services.proxy.port must be a whole number from 1 to 65535 ("80800")'],
  ['port: 8080', 'port: "8080"', '3:43 services.proxy.port must be a whole number from 1 to 65535 ("8080")'],
  [', port: 8080', '', '3:3 services.proxy must have a port or something that it pulls'],
  [', port: 8080', '', '2:1 services must have one service with a port, the proxy'],
  [
    'port: 8080',
    'port: 8080, pulls: [get.a]',
    '3:48 services.proxy.pulls must not stand beside a port: a proxy pulls nothing',
  ],
  [
    '    pulls:',
    '    port: 81\n    pullers:',
    '6:11 services.rating.port must be written for one service only, and proxy has one ("81")',
  ],
  [
    '  rating:',
    '  Rating:',
    '4:3 services.Rating must be named with at most 25 lower-case letters, digits and inner dashes, a letter first ("Rating")',
  ],
  ['  rating:', '  pinned:', '4:3 services.pinned must not be named "pinned", which Headgate uses'],
  ['PATH_PREFIX:', 'PORT:', '3:74 services.proxy.env.PORT must be left to the platform, which sets it ("/api")'],
  [
    'PATH_PREFIX:',
    'PATH-PREFIX:',
    '3:68 services.proxy.env.PATH-PREFIX must be named with letters, digits and underscores ("PATH-PREFIX")',
  ],
  [
    'source: services/rating',
    'source: ../rating',
    '5:13 services.rating.source must be a folder below headgate.yaml, written without a leading / and without .. ("../rating")',
  ],
  ['app: ratings', 'app: ratings\ninfra: { db: {} }', '2:10 infra.db.manifests must be written'],
  [
    'app: ratings',
    'app: ratings\nfrontend: { manifests: /web }',
    '2:24 frontend.manifests must be a folder below headgate.yaml, written without a leading / and without .. ("/web")',
  ],
  ['post.ratings]', 'get.ratings]', '6:26 services.rating.pulls[1] must be pulled once ("get.ratings")'],
  [
    'post.ratings]',
    'post.*]',
    '6:26 services.rating.pulls[1] must be a method and literal tokens such as get.ratings ("post.*")',
  ],
  [
    'queue:',
    '  audit: { source: a, pulls: [post.ratings] }\nqueue:',
    '7:31 services.audit.pulls[0] must be pulled by one service, and rating pulls it ("post.ratings")',
  ],
  ['queue: { jetstream: nats://nats:4222 }', '', '1:1 queue must be written, as rating pulls'],
  ['nats://nats:4222', 'nats:4222', '7:21 queue.jetstream must be an address such as nats://nats:4222 ("nats:4222")'],
  ['nats:4222 }', 'nats:4222, adopt: steal }', '7:46 queue.adopt must be one of bind, redeploy, answer ("steal")'],
  ['nats:4222 }', 'nats:4222, existing: { stream: requests } }', '7:39 queue.existing.consumers must be written'],
  [
    'nats:4222 }',
    'nats:4222, existing: { stream: "a.b", consumers: { rating: r } } }',
    '7:60 queue.existing.stream must be letters, digits, "_" and "-" ("a.b")',
  ],
  [
    'nats:4222 }',
    'nats:4222, existing: { stream: ratings-green, consumers: { rating: r } } }',
    '7:59 queue.existing.stream must not have the name that Headgate gives to the stream of a lane ("ratings-green")',
  ],
  [
    'nats:4222 }',
    'nats:4222, existing: { stream: requests, consumers: {} } }',
    '7:69 queue.existing.consumers must name the consumer of rating',
  ],
  [
    'nats:4222 }',
    'nats:4222, existing: { stream: requests, consumers: { rating: r, proxy: p } } }',
    '7:93 queue.existing.consumers.proxy must be of a service that pulls ("proxy")',
  ],
  [
    'queue: { jetstream: nats://nats:4222 }',
    '  audit: { source: a, pulls: [get.a] }\nqueue: { jetstream: nats://nats:4222, existing: { stream: requests, consumers: { rating: r, audit: r } } }',
    '8:100 queue.existing.consumers.audit must be the consumer of one service only ("r")',
  ],
  ['  namespace: ratings\n', '', '8:1 kubernetes.namespace must be written'],
  [
    'gateway-api: { route: ratings }, ',
    '',
    '10:3 kubernetes.traffic must name one router, gateway-api or ingress-nginx',
  ],
  ['5%, 25%, 50%', '5%, 5%, 50%', '13:15 release.steps[1] must be more than the step before it, 5% ("5%")'],
  [
    '5%, 25%, 50%',
    '5%, 25%, 100%',
    '13:20 release.steps[2] must be from 1% to 99%: promotion is 100% and no step ("100%")',
  ],
  ['5%, 25%, 50%', '5%, 25%, 50', '13:20 release.steps[2] must be a whole percentage such as 5% ("50")'],
  ['5%, 25%, 50%', '', '13:3 release.steps must have a step, as the strategy is canary'],
  ['[5%, 25%, 50%]', '5%', '13:10 release.steps must be a list ("5%")'],
  ['strategy: canary', 'strategy: blue-green', '13:3 release.steps must be left out, as the strategy is blue-green'],
  [
    'strategy: canary',
    'strategy: slow',
    '12:13 release.strategy must be one of canary, blue-green, ab, rolling ("slow")',
  ],
  ['strategy: canary', 'strategy: rolling', '13:3 release.steps must be left out, as the strategy is rolling'],
  [
    'strategy: canary\n  steps: [5%, 25%, 50%]',
    'strategy: rolling',
    '13:9 release.bake must be left out, as the strategy is rolling ("3m")',
  ],
  [
    'strategy: canary\n  steps: [5%, 25%, 50%]\n  bake: 3m',
    'strategy: rolling\n  watch: 1m\n  metrics: {}',
    '13:10 release.watch must be left out, as the strategy is rolling ("1m")',
  ],
  [
    'strategy: canary\n  steps: [5%, 25%, 50%]',
    'strategy: ab',
    '11:1 release.pins must have a pin, as the strategy is ab',
  ],
  [
    'strategy: canary\n  steps: [5%, 25%, 50%]',
    'strategy: ab\n  pins: [X-A=b, cookie a=b, x-a=b]',
    '13:29 release.pins[2] must be written once ("x-a=b")',
  ],
  ['bake: 3m', 'pins: [X-Variant=b]', '14:3 release.pins must be left out, as the strategy is canary'],
  [
    'bake: 3m',
    'bake: 3m\n  pins: [X-Variant]',
    '15:10 release.pins[0] must be a header such as X-Variant=b, or a cookie such as "cookie variant=b" ("X-Variant")',
  ],
  ['bake: 3m', 'bake: 3', '14:9 release.bake must be a duration in ms, s, m or h such as 500ms, 10s, 3m or 2h ("3")'],
  ['bake: 3m', 'bake: 3h', '14:9 release.bake must be shorter than deadline, 2h unless written ("3h")'],
  ['bake: 3m', 'deadline: 90s', '14:13 release.deadline must be longer than bake, 3m ("90s")'],
  ['bake: 3m', 'watch: 1h', '14:10 release.watch must be no longer than keepWarm, 30m unless written ("1h")'],
  ['bake: 3m', 'keepWarm: 1m', '14:13 release.keepWarm must be at least as long as watch, 10m ("1m")'],
  ['bake: 3m', 'approve: yes', '14:12 release.approve must be true or false ("yes")'],
  [
    'bake: 3m',
    'migrate: { image: app:v1, command: [] }',
    '14:21 release.migrate.image must be an image pinned by digest such as host/name@sha256:… ("app:v1")',
  ],
  ['bake: 3m', 'bake: 3m\n  bake: 4m', '15:3 release.bake must be written once'],
  ['bake: 3m', 'bake: *short', '14:9 release.bake must be written out, without an alias'],
  [
    'bake: 500ms',
    'bak: 500ms',
    '16:39 release.bak must be one of strategy, steps, pins, bake, tolerate, latency, metrics, synthetic, deadline, atDeadline, watch, keepWarm, onNewCommit, approve, connectionGrace, migrate ("bak")',
  ],
  [
    'release:',
    'approvers: [kim lee]\nrelease:',
    '11:13 approvers[0] must be the name of a person, as the host knows them, such as kim ("kim lee")',
  ],
  [
    'release:',
    'notify: { webhook: "https://kim:pw@chat.example" }\nrelease:',
    '11:21 notify.webhook must be an address such as https://chat.example/hook, without user and password ("https://kim:pw@chat.example")',
  ],
  [
    'release:',
    'image: { base: "node:20-slim" }\nrelease:',
    '11:17 image.base must be an image pinned by digest such as host/name@sha256:… ("node:20-slim")',
  ],
  [
    'release:',
    'perf: { p50: 50 }\nrelease:',
    '11:14 perf.p50 must be a duration in ms, s, m or h such as 500ms, 10s, 3m or 2h ("50")',
  ],
  ['release:', 'perf: { p50: 0ms }\nrelease:', '11:14 perf.p50 must be from 1ms to 5s ("0ms")'],
  ['release:', 'perf: { p99: 1m }\nrelease:', '11:14 perf.p99 must be from 1ms to 5s ("1m")'],
  ['release:', 'perf: { p95: 2s }\nrelease:', '11:14 perf.p95 must be no more than p99, 400ms unless written ("2s")'],
  ['release:', 'perf: { p50: 9ms, p95: 8ms }\nrelease:', '11:24 perf.p95 must be no less than p50, 9ms ("8ms")'],
  ['release:', 'perf: { perSecond: 5 }\nrelease:', '11:20 perf.perSecond must be a whole number from 50 to 5000 ("5")'],
  [
    'release:',
    'perf: { p50: 150ms, perSecond: 2000 }\nrelease:',
    '11:32 perf.perSecond must leave at most 250 requests under way: 2000 a second of 150ms are 300 ("2000")',
  ],
  ['release:', 'perf: { tolerance: 0% }\nrelease:', '11:20 perf.tolerance must be from 1% to 100% ("0%")'],
  ['release:', 'perf: { tolerance99: 900% }\nrelease:', '11:22 perf.tolerance99 must be from 1% to 100% ("900%")'],
  [
    'release:',
    'perf: { p90: 1s }\nrelease:',
    '11:9 perf.p90 must be one of p50, p95, p99, perSecond, tolerance, tolerance99 ("p90")',
  ],
  ['prod: {}', 'prod: { environments: {} }', '17:11 environments must stand at the top of headgate.yaml'],
  ['prod: {}', 'prod: 5', '17:9 environments.prod must be a map ("5")'],
])('parseSpec() refuses %j written as %j', (from, to, issue) => {
  expect(whole).toContain(from);

  expect(issuesOf(whole.replace(from, to)).map(told)).toContain(issue);
});

test.each([
  ['a: [1', 'must be YAML: unexpected end of the stream within a flow collection'],
  ['', 'must hold one YAML document'],
  ['a: 1\n---\nb: 2', 'must hold one YAML document'],
  ['- a', 'must be a map'],
])('parseSpec() refuses %j as a whole', (text, rule) => {
  expect(issuesOf(text)).toEqual([expect.objectContaining({ path: '', rule })]);
});

test('parseSpec() names the known environments if the one asked for is not among them', () => {
  expect(issuesOf(whole, 'production').map(told)).toEqual([
    '15:1 environments must have the environment that is asked for, "production" (staging, prod)',
  ]);
});

test('parseSpec() reports a part that cannot be read once, and does not call it missing too', () => {
  const text = 'app: a\nservices: { p: { source: p, port: x }, q: { source: q, pulls: get.a } }\nqueue: 5\n';

  expect(issuesOf(text).map(({ path }) => path)).toEqual(['services.p.port', 'services.q.pulls', 'queue']);
});

test('formatIssues() shows place, rule, current value and the line of every mistake', () => {
  const issues = issuesOf('app: A\nservices:\n\tp: 1\n'.replace('\t', '  '));

  expect(
    formatIssues(issues),
  ).toBe(`headgate.yaml:1:6  app must be at most 30 lower-case letters, digits and inner dashes, a letter first: current value is "A"
  1 | app: A
           ^

headgate.yaml:2:1  services must have one service with a port, the proxy
  2 | services:
      ^

headgate.yaml:3:6  services.p must be a map: current value is "1"
  3 |   p: 1
           ^`);
});

test('parseSpec() finds the line after any line end', () => {
  expect(issuesOf(whole.replace('bake: 3m', 'bake: 3').replaceAll('\n', '\r\n')).map(({ line }) => line)).toEqual([14]);
});

test('parseSpec() never throws, and every issue shows a line of the text', () => {
  const token = fc.constantFrom(
    'app',
    ':',
    ' ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '"',
    "'",
    '&a',
    '*a',
    '!!x',
    '|',
    '>',
    '?',
    '#',
    '%',
    '---',
    '\t',
    '<<',
    '__proto__',
    'null',
    '5%',
    '3m',
    '\uFEFF',
    '\r',
  );
  const edit = fc.record({ at: fc.nat(whole.length), remove: fc.nat(20), insert: fc.array(token, { maxLength: 4 }) });
  const edited = fc
    .array(edit, { minLength: 1, maxLength: 3 })
    .map((edits) =>
      edits.reduce(
        (text, { at, remove, insert }) => text.slice(0, at) + insert.join('') + text.slice(at + remove),
        whole,
      ),
    );
  const garbage = fc.oneof(
    fc.string(),
    fc.array(token).map((tokens) => tokens.join('')),
    edited,
  );

  fc.assert(
    fc.property(garbage, (text) => {
      const lines = text.split(/\r\n|\n|\r/);
      for (const issue of issuesOf(text)) {
        expect(issue.text).toBe(lines[issue.line - 1]);
        expect(issue.column).toBeLessThanOrEqual(issue.text.length + 1);
      }
    }),
    { numRuns: 1_000 },
  );
});
