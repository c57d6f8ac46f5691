/** A small app on the test cluster: a real route, real pods, users, and nobody yet who drives its releases. */
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readHead } from '../engine/book.ts';
import type { Hands } from '../hands/hands.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { type Lane, lanes } from '../lane.ts';
import { bootstrapCluster } from '../platform/kubernetes/bootstrap.ts';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { temporaryNamespace, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { openKubernetesPlatform } from '../platform/kubernetes/open.ts';
import { podRepository, pushFakeService } from '../platform/kubernetes/pod-image.rig.ts';
import type { Head, ReleaseRequest } from '../policy/release.ts';
import { makeRevision, templateOf } from '../revision.ts';
import { orderOf } from '../simulate/named.ts';
import { parseSpec, type Spec } from '../spec.ts';

export interface ClusterApp extends AsyncDisposable {
  readonly namespace: string;
  readonly client: KubeClient;
  readonly spec: Spec;
  /** headgate.yaml. */
  readonly text: string;
  /** Of whoever asks a controller, and has the rights for anything. */
  readonly hands: Hands;
  head(): Promise<Head>;
  /** Waits until this version holds at its weight. @returns its release */
  isHolding(version: string): Promise<number>;
  /** The same program each time; its environment makes a version of it. */
  version(name: string): Promise<ReleaseRequest>;
  /** How often what releases write has been changed: the lanes' Deployments and the route. */
  generations(): Promise<Readonly<Record<Lane | 'route', number>>>;
  /** Requests that were answered otherwise than with 200, or not at all. */
  readonly failed: readonly string[];
}

const usersEveryMs = 20;

/** `release` is the block of headgate.yaml that matters. */
export async function openApp(release: string, driver: 'controller' | 'cli' = 'controller'): Promise<ClusterApp> {
  const namespace = await temporaryNamespace();
  const { client, name } = namespace;
  const text = `app: test
services: { proxy: { source: proxy, port: 8080, replicas: 1, probe: /probe } }
kubernetes:
  namespace: ${name}
  traffic:
    gateway-api: { route: test }
    replicas: { namespace: gateway, service: traefik, listener: web, metrics: traefik }
  driver: ${driver}
release:
${release}`;
  const spec = parsed(text);
  const host = `${name}.test`;
  const through = { kind: 'gateway-api', namespace: 'gateway', name: 'main' } as const;
  const entrance = { through, host, paths: ['/'], frontend: undefined };
  await bootstrapCluster({ spec, entrance, manifests: {}, check: false }, client, signal());
  const ports = openKubernetesPlatform(spec, client, {
    env: { HEADGATE_POD_NETWORK: '1' },
    untold: (error) => process.stderr.write(`an Event could not be written: ${error}\n`),
  });
  const { journal } = openKubernetesJournal(client, spec.app);
  const head = () => readHead(journal, spec.app, signal());
  const users = startUsers(host);
  const generationOf = async (kind: typeof kinds.Deployment, of: string) =>
    (await client.get<KubeObject>(kind, of, signal()))?.metadata.generation ?? 0;
  return {
    namespace: name,
    client,
    spec,
    text,
    hands: {
      ports,
      spec,
      actor: 'kim@desk',
      emit: () => {},
      say: () => {},
      signal: AbortSignal.timeout(420_000),
    },
    head,
    async isHolding(version) {
      for (const within = AbortSignal.timeout(300_000); ; await sleep(100, undefined, { signal: within })) {
        const { release } = await head();
        const isOf = release?.revision.template.services['proxy']?.env['VERSION'] === version;
        if (isOf && release.state.phase.kind === 'holding') return release.id;
      }
    },
    async version(version) {
      const { services } = templateOf(spec);
      const template = { services: { proxy: { ...services['proxy']!, env: { VERSION: version } } } };
      const digests = { proxy: await pushFakeService('sound') };
      const repositories = { proxy: podRepository() };
      return orderOf(makeRevision({ digests, repositories, template, commit: undefined }));
    },
    async generations() {
      const [blue = 0, green = 0] = await Promise.all(
        lanes.map((lane) => generationOf(kinds.Deployment, `test-${lane}-proxy`)),
      );
      return { blue, green, route: await generationOf(kinds.HTTPRoute, 'test') };
    },
    failed: users.failed,
    async [Symbol.asyncDispose]() {
      await users[Symbol.asyncDispose]();
      await ports[Symbol.asyncDispose]();
      const gateway = client.in('gateway');
      await gateway.remove(kinds.RoleBinding, `headgate-test-controller-${name}`, signal());
      await namespace[Symbol.asyncDispose]();
    },
  };
}

/** They begin with the first release, as before it nobody answers. */
function startUsers(host: string): AsyncDisposable & { readonly failed: readonly string[] } {
  const [gateway = ''] = testCluster().gateways;
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const failed: string[] = [];
  const open = new Set<Promise<void>>();
  let isServed = false;
  const one = async () => {
    const status = await statusOf(gateway, host, agent).catch(String);
    isServed ||= status === 200;
    if (isServed && status !== 200) failed.push(`${status}`);
  };
  const sending = setInterval(() => {
    const asked = one().finally(() => open.delete(asked));
    open.add(asked);
  }, usersEveryMs);
  return {
    failed,
    async [Symbol.asyncDispose]() {
      clearInterval(sending);
      await Promise.all(open);
      agent.destroy();
    },
  };
}

async function statusOf(gateway: string, host: string, agent: Agent): Promise<number> {
  const asking = get(gateway, { agent, headers: { host }, signal: signal() });
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer.statusCode ?? 0;
}

function parsed(text: string): Spec {
  const read = parseSpec(text, { file: 'headgate.yaml' });
  if (read.kind === 'issues') throw new Error(JSON.stringify(read.issues));
  return read.spec;
}

function signal(): AbortSignal {
  return AbortSignal.timeout(20_000);
}
