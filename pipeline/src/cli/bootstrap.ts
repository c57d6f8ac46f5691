import { type Entrance, type Frontend, HeadgateError, openKubeClient, type Spec } from '@headgate/rollout';
import { bootstrapCluster, bootstrapQueue, describeCluster } from '@headgate/rollout/setup';
import { dump } from 'js-yaml';
import { renderAll } from '../deploy/manifests.ts';
import { type App, appOptions, openApp } from './open.ts';
import { type Call, flag, type Option, type Shell, type Subcommand, text, word } from './shell.ts';

/** What no headgate.yaml says, as it is asked only once. */
export const entranceOptions = {
  gateway: { type: 'string', help: 'the Gateway that users come through' },
  'ingress-class': { type: 'string', help: 'with ingress-nginx: the class of its Ingresses' },
  host: { type: 'string', help: 'host name of the route (default any)' },
  path: { type: 'string', help: 'prefix of the paths that go to the lanes (default /)' },
  frontend: { type: 'string', help: 'a Service of yours for /ui and every path that nobody else has' },
} as const satisfies Record<string, Option>;

export const command: Subcommand = {
  usage:
    '--gateway <namespace/name>|--ingress-class <name> [--host <name>] [--path <prefix>] [--frontend <service:port>] [--only cluster|queue] [--check|--print]',
  help: 'On Kubernetes, once per app and namespace: makes both lanes, the routes to them, roles, streams and consumers. Safe to repeat; what is there stays as it is.',
  options: {
    ...appOptions,
    ...entranceOptions,
    only: { type: 'string', help: 'cluster: lanes, routes and roles; queue: streams and consumers (default both)' },
    check: { type: 'boolean', help: 'do nothing: say what would be made' },
    print: {
      type: 'boolean',
      help: 'do nothing: write the objects of the cluster as YAML, for kubectl apply --server-side',
    },
  },
  positionals: { min: 0, max: 0 },
  async run(call, shell) {
    const extent = { only: word(call, 'only', ['cluster', 'queue']), check: flag(call, 'check') };
    if (!flag(call, 'print')) return setUp(call, shell, extent);
    const app = await openCluster(call, shell);
    const objects = describeCluster({ spec: app.spec, ...(await clusterParts(app, call, shell)) });
    shell.out(objects.map((object) => `---\n${dump(object)}`).join(''));
    return 0;
  },
};

export type Clustered = App & { readonly kubernetes: NonNullable<Spec['kubernetes']> };

/** @throws {HeadgateError} `USAGE` for an app without a cluster */
export async function openCluster(call: Call, shell: Shell): Promise<Clustered> {
  const app = await openApp(call, shell);
  const { app: name, kubernetes } = app.spec;
  if (kubernetes !== undefined) return { ...app, kubernetes };
  throw new HeadgateError('USAGE', `Cannot set up ${name} as its headgate.yaml names no cluster`, {
    hint: 'the local platform makes what it needs by itself; for a cluster add "kubernetes"',
  });
}

async function clusterParts({ spec, kubernetes, folder: root }: Clustered, call: Call, { env, signal }: Shell) {
  const entrance = entranceOf(call, kubernetes);
  return { entrance, manifests: await renderAll(spec, { root, env }, signal) };
}

type Extent = { readonly only: 'cluster' | 'queue' | undefined; readonly check: boolean };

/** Makes what `only` names, or says what would be made. @returns the exit code */
export async function setUp(call: Call, shell: Shell, { only, check }: Extent): Promise<number> {
  const app = await openCluster(call, shell);
  const { spec, kubernetes } = app;
  const parts = only === 'queue' ? undefined : await clusterParts(app, call, shell);
  using client = openKubeClient({ namespace: kubernetes.namespace });
  const changes = [
    ...(parts === undefined ? [] : await bootstrapCluster({ spec, ...parts, check }, client, shell.signal)),
    ...(only === 'cluster' ? [] : await bootstrapQueue(spec, client, check, shell.signal)),
  ];
  const lines = changes.map((change) => `${check ? 'not yet ' : ''}${change}\n`);
  if (flag(call, 'json')) shell.out(`${JSON.stringify({ changes })}\n`);
  else shell.out(lines.length === 0 ? 'all is there\n' : lines.join(''));
  return 0;
}

function entranceOf(call: Call, { traffic }: NonNullable<Spec['kubernetes']>): Entrance {
  const path = text(call, 'path') ?? '/';
  const frontend = frontendOf(text(call, 'frontend'), path);
  return { through: throughOf(call, traffic.kind), host: text(call, 'host'), paths: [path], frontend };
}

function throughOf(call: Call, kind: Entrance['through']['kind']): Entrance['through'] {
  if (kind === 'ingress-nginx') {
    const className = text(call, 'ingress-class');
    if (className !== undefined) return { kind, className };
    throw new HeadgateError('USAGE', 'Cannot make a route as --ingress-class must be given: current value is ""', {
      hint: 'run `kubectl get ingressclasses`',
    });
  }
  const given = text(call, 'gateway') ?? '';
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(given) ?? [];
  if (namespace !== undefined && name !== undefined) return { kind, namespace, name };
  throw new HeadgateError(
    'USAGE',
    `Cannot make a route as --gateway must be <namespace>/<name>: current value is "${given}"`,
    { hint: 'run `kubectl get gateways -A`' },
  );
}

function frontendOf(given: string | undefined, path: string): Frontend | undefined {
  if (given === undefined) return undefined;
  const [, service, port] = /^([a-z0-9-]+):(\d+)$/.exec(given) ?? [];
  if (service === undefined) {
    throw new HeadgateError(
      'USAGE',
      `Cannot make a route as --frontend must be <service>:<port>: current value is "${given}"`,
      { hint: 'run `kubectl get services`' },
    );
  }
  if (path === '/') {
    throw new HeadgateError(
      'USAGE',
      'Cannot give / to a frontend as the lanes have it: current value of --path is "/"',
      {
        hint: 'write --path /api',
      },
    );
  }
  return { service, port: Number(port) };
}
