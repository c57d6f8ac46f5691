/** A small app on the test cluster: a real route, real pods, users, and nobody yet who drives its releases. */
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readHead } from '../engine/book.ts';
import type { Hands } from '../hands/hands.ts';
import { openKubernetesJournal } from '../journal/kubernetes.ts';
import { type Lane, lanes } from '../lane.ts';
import { bootstrapCluster, bootstrapQueue } from '../platform/kubernetes/bootstrap.ts';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { temporaryNamespace, testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { openKubernetesPlatform } from '../platform/kubernetes/open.ts';
import { natsModule, podRepository, pushFakeService, pushNatsServer } from '../platform/kubernetes/pod-image.rig.ts';
import type { Phase } from '../policy/phase.ts';
import type { Head, ReleaseRequest } from '../policy/release.ts';
import { makeRevision, type PodTemplate, type Revision, templateOf } from '../revision.ts';
import { orderOf } from '../simulate/named.ts';
import { parseSpec, type Spec } from '../spec.ts';
import { until } from './until.rig.ts';

export interface ClusterApp extends AsyncDisposable {
  readonly namespace: string;
  readonly client: KubeClient;
  readonly spec: Spec;
  /** headgate.yaml. */
  readonly text: string;
  /** Of whoever asks a controller, and has the rights for anything. */
  readonly hands: Hands;
  head(): Promise<Head>;
  /** Of its NATS server; `undefined`: it has no queue. */
  readonly nats: string | undefined;
  /** Waits until this version holds at its weight. @returns its release */
  isHolding(version: string): Promise<number>;
  /** Waits until this version is in this phase. @returns its release */
  isAt(version: string, phase: Phase['kind']): Promise<number>;
  /** Waits until this version is the one that waits for the running release. */
  isWaiting(version: string): Promise<void>;
  /** The same program each time; its environment makes a version of it. `podTemplate` is what its own manifests say. */
  version(name: string, env?: Readonly<Record<string, string>>, podTemplate?: PodTemplate): Promise<ReleaseRequest>;
  /** How often what releases write has been changed: the lanes' Deployments and the route. */
  generations(): Promise<Readonly<Record<Lane | 'route', number>>>;
  readonly failed: Users['failed'];
  /** More of them, every one with these headers. */
  users(headers: Readonly<Record<string, string>>): AsyncDisposable & Users;
}

export type Users = {
  /** Requests that were answered otherwise than with 200, or not at all; `sentAt` as `Date.now()` tells it. */
  readonly failed: readonly { readonly sentAt: number; readonly says: string }[];
};

const usersEveryMs = 20;

/** `release` is the block of headgate.yaml that matters. With a queue its workers are pods too; its proxies answer by themselves. */
export async function openApp(
  release: string,
  driver: 'controller' | 'cli' = 'controller',
  { queue = false } = {},
): Promise<ClusterApp> {
  const namespace = await temporaryNamespace();
  const { client, name } = namespace;
  const nats = queue ? await startNatsPod(client) : undefined;
  const text = `app: test
services:
  proxy: { source: proxy, port: 8080, replicas: 1, probe: /probe }
${nats === undefined ? '' : queueText(nats)}kubernetes:
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
  await bootstrapQueue(spec, client, false, signal());
  const open = (named: Spec) =>
    openKubernetesPlatform(named, client, {
      env: { HEADGATE_POD_NETWORK: '1' },
      untold: (error) => process.stderr.write(`an Event could not be written: ${error}\n`),
    });
  const ports = open(spec);
  const { journal } = openKubernetesJournal(client, spec.app);
  const head = () => readHead(journal, spec.app, signal());
  const users = startUsers(host);
  const generationOf = async (kind: typeof kinds.Deployment, of: string) =>
    (await client.get<KubeObject>(kind, of, signal()))?.metadata.generation ?? 0;
  const isAt: ClusterApp['isAt'] = async (version, phase) => {
    for (const within = AbortSignal.timeout(300_000); ; await sleep(100, undefined, { signal: within })) {
      const { release } = await head();
      if (release?.state.phase.kind === phase && versionOf(release.revision) === version) return release.id;
    }
  };
  return {
    namespace: name,
    client,
    spec,
    text,
    hands: {
      ports,
      spec,
      open: async (named) => open(named),
      actor: 'kim@desk',
      emit: () => {},
      say: () => {},
      signal: AbortSignal.timeout(600_000),
    },
    head,
    nats,
    isHolding: (version) => isAt(version, 'holding'),
    isAt,
    isWaiting: (version) =>
      until(async () => versionOf((await head()).waiting?.order.request.revision) === version, signal()),
    async version(version, more = {}, podTemplate = {}) {
      const written = Object.entries(templateOf(spec).services);
      const ofAll = <T>(value: T) => Object.fromEntries(written.map(([service]) => [service, value]));
      const services = written.map(
        ([service, one]) => [service, { ...one, env: { ...one.env, ...more, VERSION: version }, podTemplate }] as const,
      );
      const template = { services: Object.fromEntries(services) };
      const digests = ofAll(await pushFakeService('sound'));
      const repositories = ofAll(podRepository());
      return orderOf(makeRevision({ digests, repositories, template, commit: undefined }));
    },
    async generations() {
      const ofLane = async (lane: Lane) => {
        const names = Object.keys(spec.services).map((service) => `test-${lane}-${service}`);
        const all = await Promise.all(names.map((one) => generationOf(kinds.Deployment, one)));
        return all.reduce((sum, one) => sum + one); // None ever falls.
      };
      const [blue = 0, green = 0] = await Promise.all(lanes.map(ofLane));
      return { blue, green, route: await generationOf(kinds.HTTPRoute, 'test') };
    },
    failed: users.failed,
    users: (headers) => startUsers(host, headers),
    async [Symbol.asyncDispose]() {
      await users[Symbol.asyncDispose]();
      await ports[Symbol.asyncDispose]();
      const gateway = client.in('gateway');
      await gateway.remove(kinds.RoleBinding, `headgate-test-controller-${name}`, signal());
      await namespace[Symbol.asyncDispose]();
    },
  };
}

/** The name that `version` was given. */
export function versionOf(revision: Pick<Revision, 'template'> | undefined): string | undefined {
  return revision?.template.services['proxy']?.env['VERSION'];
}

/** How each release ended, in their order. */
export const outcomesOf = ({ history }: Head) => history.map(({ id, outcome }) => `${id} ${outcome}`);

/** Workers that take over what live is told to. */
function queueText(nats: string): string {
  return `  rating:
    source: rating
    replicas: 1
    pulls: [get.ratings]
    env: { NATS_MODULE: ${natsModule}, FOLLOWS: sources, HANDLER_MS: '20' }
queue: { jetstream: '${nats}', adopt: bind }
`;
}

/** @returns its address, which leads there from pods and from a machine that is routed to them */
async function startNatsPod(client: KubeClient): Promise<string> {
  const [labels, port] = [{ server: 'nats' }, 4222];
  const container = {
    name: 'main',
    image: `${podRepository()}@${await pushNatsServer()}`,
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  };
  const pod = { containers: [container], volumes: [{ name: 'data', emptyDir: {} }] };
  await client.create(kinds.Pod, { metadata: { name: 'nats-0', labels }, spec: pod }, signal());
  const service = { metadata: { name: 'nats' }, spec: { selector: labels, ports: [{ port }] } };
  await client.create(kinds.Service, service, signal());
  const made = await client.get<KubeObject & { readonly spec: { readonly clusterIP: string } }>(
    kinds.Service,
    'nats',
    signal(),
  );
  const url = `nats://${made!.spec.clusterIP}:${port}`;
  await until(() => isListening(made!.spec.clusterIP, port), AbortSignal.timeout(60_000));
  return url;
}

async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: 1_000 });
  try {
    return await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'timeout').then(() => false)]);
  } catch {
    return false; // Nobody is behind the Service yet.
  } finally {
    socket.destroy();
  }
}

/** They begin with the first release, as before it nobody answers. */
function startUsers(host: string, headers: Readonly<Record<string, string>> = {}): AsyncDisposable & Users {
  const [gateway = ''] = testCluster().gateways;
  const agent = new Agent({ keepAlive: true }); // Without a bound: nobody waits for those who get no answer.
  const failed: { sentAt: number; says: string }[] = [];
  const open = new Set<Promise<void>>();
  let isServed = false;
  const one = async () => {
    const sentAt = Date.now();
    const status = await statusOf(gateway, { ...headers, host }, agent).catch(String);
    isServed ||= status === 200;
    if (isServed && status !== 200) failed.push({ sentAt, says: `${status}` });
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

async function statusOf(gateway: string, headers: Readonly<Record<string, string>>, agent: Agent): Promise<number> {
  const asking = get(gateway, { agent, headers, signal: signal() });
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
