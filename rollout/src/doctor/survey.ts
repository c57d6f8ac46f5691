import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { type Kind, kinds } from '../platform/kubernetes/kinds.ts';
import { type Manifests, manifestIssues } from '../platform/kubernetes/lane-manifests.ts';
import { describeLanes } from '../platform/kubernetes/lane-objects.ts';
import { planLanes } from '../platform/kubernetes/lanes.ts';
import { queueAddress } from '../platform/kubernetes/queue-address.ts';
import { controllerName, type Rule, rolesOf } from '../platform/kubernetes/roles.ts';
import { isRouted } from '../platform/kubernetes/routed.ts';
import { demand } from '../queue/api.ts';
import { planBootstrap } from '../queue/bootstrap.ts';
import { openConnection } from '../queue/connection.ts';
import { laneOfStream } from '../queue/names.ts';
import type { PodTemplate } from '../revision.ts';
import type { KubernetesSpec, Spec } from '../spec.ts';
import { findReplicas, type Replica } from '../traffic/replicas.ts';
import { type WrittenMetadata, writerOf } from '../traffic/writer.ts';
import type { ClusterFacts, QueueFacts, RouteFacts } from './cluster.ts';
import { strangeIn, type Uncounted } from './counters.ts';
import { uncovered } from './rights.ts';

type Survey = { readonly spec: Spec; readonly kubernetes: KubernetesSpec; readonly client: KubeClient };

/** Looks at everything, changes nothing. What this user may not see is told. @throws {HeadgateError} `CLUSTER_UNREACHABLE`, `CLUSTER_REFUSED` */
export async function surveyCluster(survey: Survey, manifests: Manifests, signal: AbortSignal): Promise<ClusterFacts> {
  const { client, spec, kubernetes } = survey;
  const { namespace, service, listener, metrics } = kubernetes.traffic.replicas;
  const place = {
    client: client.in(namespace),
    service,
    ports: { listener, metrics },
    way: isRouted(process.env) ? 'direct' : 'proxy',
  } as const;
  // The first question of all: without an answer to it the rest has no point.
  const version = await versionOf(client, signal);
  const unseen: string[] = [];
  const seen = async <T>(act: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof HeadgateError) || error.code !== 'CLUSTER_REFUSED') throw error;
      unseen.push(error.message);
      return otherwise;
    }
  };
  const list = (kind: Kind) => seen(async () => (await client.list<KubeObject>(kind, {}, signal)).items, []);
  const services = soundServices(spec, manifests);
  const described = { app: spec.app, services, manifests };
  const isSound = Object.keys(services).length === Object.keys(spec.services).length;
  const replicas = await seen(() => findReplicas(place, signal), undefined);
  const facts = {
    version,
    ...(await lackingOf(survey, signal)),
    controllers: await seen(() => readyControllers(client, signal), undefined),
    lanes: await seen(() => planLanes(client, described, signal), []),
    standing: isSound ? describeLanes(described).map(({ kind, name }) => `${kind.kind} ${name}`) : undefined,
    route: await seen(() => routeOf(survey, signal), undefined),
    routes: kubernetes.traffic.kind === 'gateway-api' ? await list(kinds.HTTPRoute) : [],
    replicas: replicas?.length,
    uncounted: countsItself(kubernetes) ? await uncountedIn(replicas ?? [], signal) : [],
    services: await list(kinds.Service),
    podLabels: Object.fromEntries(Object.entries(manifests).map(([name, objects]) => [name, podLabelsIn(objects)])),
    budgets: await list(kinds.PodDisruptionBudget),
    autoscalers: await list(kinds.HorizontalPodAutoscaler),
    queue: await queueOf(survey, signal),
  };
  return { ...facts, unseen };
}

/** The router does; else the lanes' proxies do. */
function countsItself({ traffic: { kind, replicas } }: KubernetesSpec): boolean {
  return kind === 'gateway-api' && replicas.metrics !== undefined;
}

const countersMaxMs = 5_000;

async function uncountedIn(replicas: readonly Replica[], signal: AbortSignal): Promise<readonly Uncounted[]> {
  const looks = replicas.map(async ({ name, counters }): Promise<readonly Uncounted[]> => {
    try {
      return strangeIn(name, await counters(withDeadline(signal, countersMaxMs)));
    } catch (error) {
      signal.throwIfAborted();
      return [{ replica: name, kind: 'silent', why: error instanceof Error ? error.message : String(error) }];
    }
  });
  return (await Promise.all(looks)).flat();
}

async function readyControllers(client: KubeClient, signal: AbortSignal): Promise<number> {
  type Deployment = KubeObject & { readonly status?: { readonly readyReplicas?: number } };
  return (await client.get<Deployment>(kinds.Deployment, controllerName, signal))?.status?.readyReplicas ?? 0;
}

/** Those whose objects are known: manifests that bootstrap would not take are told by themselves. */
function soundServices({ app, services }: Spec, manifests: Manifests): Spec['services'] {
  const isSound = (service: string) => {
    const objects = manifests[service];
    return objects !== undefined && manifestIssues({ app, service }, objects).length === 0;
  };
  return Object.fromEntries(
    Object.entries(services).filter(([name, service]) => service.manifests === undefined || isSound(name)),
  );
}

function podLabelsIn(objects: readonly KubeObject[]): Readonly<Record<string, string>> {
  const deployment = objects.find(({ kind }) => kind === 'Deployment') as
    | { spec?: { template?: PodTemplate } }
    | undefined;
  return deployment?.spec?.template?.metadata?.labels ?? {};
}

async function versionOf(client: KubeClient, signal: AbortSignal): Promise<string> {
  const { status, text } = await client.text('/version', signal);
  if (status !== 200)
    throw new HeadgateError('CLUSTER_REFUSED', `Cannot read the version of the cluster as it answers ${status}`, {
      hint: 'run `kubectl version`',
    });
  const { major, minor } = JSON.parse(text) as { major: string; minor: string };
  return `${major}.${minor.replace(/\D/g, '')}`; // Some clouds write `29+`.
}

const rulesReview = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  namespaced: false,
};

type Review = KubeObject & { readonly spec: object; readonly status?: { readonly resourceRules: readonly Rule[] } };

/** With a controller a person writes wishes; without one this very process drives. */
async function lackingOf(
  { client, spec, kubernetes }: Survey,
  signal: AbortSignal,
): Promise<Pick<ClusterFacts, 'role' | 'lacking'>> {
  const wanted = `headgate-${spec.app}-${kubernetes.driver === 'controller' ? 'releaser' : 'driver'}`;
  const role = rolesOf({ app: spec.app, route: kubernetes.traffic.route }).find(
    ({ metadata }) => metadata.name === wanted,
  );
  const asked: Review = { metadata: { name: '' }, spec: { namespace: client.namespace } };
  const answer = await client.create<Review>(rulesReview, asked, signal);
  const held = answer.kind === 'written' ? (answer.object.status?.resourceRules ?? []) : [];
  return { role: wanted, lacking: uncovered(role?.rules ?? [], held) };
}

async function routeOf({ client, kubernetes }: Survey, signal: AbortSignal): Promise<RouteFacts> {
  const kind = kubernetes.traffic.kind === 'gateway-api' ? kinds.HTTPRoute : kinds.Ingress;
  const object = await client.get<KubeObject & { readonly metadata: WrittenMetadata }>(
    kind,
    kubernetes.traffic.route,
    signal,
  );
  const writer = writerOf(object?.metadata.managedFields, ['f:spec', 'f:rules']);
  return { named: `${kind.kind} ${client.namespace}/${kubernetes.traffic.route}`, object, writer };
}

/** A queue that cannot be asked from here is a finding, not the end. */
async function queueOf({ client, spec }: Survey, signal: AbortSignal): Promise<QueueFacts> {
  const { app, services, queue } = spec;
  if (queue === undefined) return { kind: 'none' };
  const target = { app, services, existing: queue.existing };
  try {
    await using connection = openConnection(app, await queueAddress(queue.url, client));
    const changes = await planBootstrap(connection, target, signal);
    const subjects = Object.values(services).flatMap(({ pulls }) => pulls);
    const named = await Promise.all(
      subjects.map(async (subject) => ({
        subject,
        streams: (await demand(connection, 'STREAM.NAMES', { subject }, signal))['streams'],
      })),
    );
    const foreign = named.flatMap(({ subject, streams }) =>
      (Array.isArray(streams) ? streams.map(String) : [])
        .filter((stream) => laneOfStream(target, stream) === undefined)
        .map((stream) => ({ stream, subject })),
    );
    return { kind: 'asked', unlike: changes.map(unlike), foreign };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Error) || error.name !== 'HeadgateError') throw error;
    return { kind: 'unasked', why: error.message };
  }
}

function unlike({ kind, object: { kind: what, name } }: Awaited<ReturnType<typeof planBootstrap>>[number]): string {
  switch (kind) {
    case 'make':
      return `${what} ${name} is not there`;
    case 'addSubjects':
      return `${what} ${name} lacks subjects that the workers pull`;
    case 'refuse':
      return `${what} ${name} is not as the lanes need it`;
  }
}
