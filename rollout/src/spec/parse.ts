/** First step: the shape of headgate.yaml. Unknown keys and wrong units are refused here; meaning is for the rules. */
import { metric } from './metrics.ts';
import { perf } from './perf.ts';
import type { Reader } from './read.ts';
import { anyText, dictionary, duration, fields, flag, list, marker, oneOf, percentage, text, whole } from './read.ts';
import type { Node } from './source.ts';
import { describe } from './source.ts';

const folder = text(
  'must be a folder below headgate.yaml, written without a leading / and without ..',
  /^(?!\/)(?!(.*\/)?\.\.(\/|$))./,
);

const path = text('must be a path that begins with /', /^\/[\x21-\x7e]*$/);

const service = fields(
  {
    source: folder,
    port: whole(1, 65_535),
    replicas: whole(1, 1_000),
    env: dictionary(anyText),
    pulls: list(
      text(
        'must be a method and literal tokens such as get.ratings',
        /^(get|post|put|patch|delete|head)(\.[A-Za-z0-9_~@=+:,%-]+)+$/,
      ),
    ),
    probe: path,
    manifests: folder,
  },
  { required: ['source'] },
);

const queueName = text('must be letters, digits, "_" and "-"', /^[A-Za-z0-9_-]+$/);

const queue = fields(
  {
    jetstream: text('must be an address such as nats://nats:4222', /^(nats|tls):\/\/[^\s/]+$/),
    adopt: oneOf('bind', 'redeploy', 'answer'),
    existing: fields({ stream: queueName, consumers: dictionary(queueName) }, { required: ['stream', 'consumers'] }),
  },
  { required: ['jetstream'] },
);

const route = fields({ route: text() }, { required: ['route'] });

const person = text('must be the name of a person, as the host knows them, such as kim', /^[\w.-]+$/);

const notify = fields(
  {
    webhook: text(
      'must be an address such as https://chat.example/hook, without user and password',
      /^https?:\/\/[^\s/@]+(\/\S*)?$/,
    ),
  },
  { required: ['webhook'] },
);

const frontend = fields({ manifests: folder }, { required: ['manifests'] });

const label = text('must be a DNS label such as ratings', /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

const kubernetes = fields(
  {
    namespace: label,
    traffic: fields(
      {
        'gateway-api': route,
        'ingress-nginx': route,
        replicas: fields(
          { namespace: label, service: label, listener: text(), metrics: text() },
          { required: ['service'] },
        ),
      },
      { required: ['replicas'] },
    ),
    driver: oneOf('controller', 'cli'),
  },
  { required: ['namespace', 'traffic'] },
);

const infra = fields({ manifests: folder, namespace: label }, { required: ['manifests'] });

const pinned = text('must be an image pinned by digest such as host/name@sha256:…', /^\S+@sha256:[0-9a-f]{64}$/);

const image = fields({ base: pinned }, { required: ['base'] });

const release = fields({
  strategy: oneOf('canary', 'blue-green', 'ab', 'rolling'),
  steps: list(percentage),
  pins: list(marker),
  bake: duration,
  tolerate: oneOf('strict', 'default', 'relaxed'),
  latency: oneOf('promote', 'rollback', 'off'),
  metrics: dictionary(metric),
  synthetic: fields({ requests: list(path), perSecond: whole(1, 100) }, { required: ['requests'] }),
  deadline: duration,
  atDeadline: oneOf('hold', 'rollback'),
  watch: duration,
  keepWarm: duration,
  onNewCommit: oneOf('wait', 'supersede'),
  approve: flag,
  connectionGrace: duration,
  migrate: fields(
    {
      image: pinned,
      command: list(text()),
    },
    { required: ['image', 'command'] },
  ),
});

/** Taken off the top of the file before this table reads it, so whatever it meets here is one inside another. */
const environments: Reader<never> = (node, path, report) => {
  report({ path, rule: 'must stand at the top of headgate.yaml', at: node.place.keyAt, value: undefined });
  return undefined;
};

/** The whole file, after an environment was merged in. */
export const readSpec = fields(
  {
    app: text(),
    services: dictionary(service),
    queue,
    kubernetes,
    infra: dictionary(infra),
    frontend,
    image,
    release,
    perf,
    approvers: list(person),
    notify,
    environments,
  },
  { required: ['app', 'services'] },
);

/** Each is merged over the rest of the file before it is read. */
export const readEnvironments: Reader<ReadonlyMap<string, Node>> = dictionary((node, path, report) => {
  if (node.kind === 'map') return node;
  report({ path, rule: 'must be a map', at: node.place.at, value: describe(node) });
  return undefined;
});

/** headgate.yaml as its author wrote it: durations already in milliseconds, shares in percent, everything optional. */
export type WrittenSpec = NonNullable<ReturnType<typeof readSpec>>;
export type WrittenService = NonNullable<ReturnType<typeof service>>;
export type WrittenRelease = NonNullable<ReturnType<typeof release>>;
