/** The lanes of an app in a namespace of their own on the test cluster, and revisions whose pods behave as named. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane } from '../lane.ts';
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { temporaryNamespace } from '../platform/kubernetes/cluster.rig.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { bootstrapLanes } from '../platform/kubernetes/lanes.ts';
import { podRepository, pushFakeService } from '../platform/kubernetes/pod-image.rig.ts';
import { type ConfigMapTemplate, makeRevision, type PodTemplate, type Revision } from '../revision.ts';
import type { Deployment, Pod } from './kubernetes/objects.ts';
import { type KubernetesTarget, openKubernetesWorkload } from './kubernetes.ts';
import { digestOf } from './revision.rig.ts';
import type { LaneSeen, Workload } from './workload.ts';

export interface KubernetesRig extends AsyncDisposable {
  readonly client: KubeClient;
  readonly workload: Workload;
  open(target?: Partial<KubernetesTarget>): Workload;
  /** Looks until it holds, and tells how long that took; at most 40 s. */
  until(lane: Lane, holds: (seen: LaneSeen) => boolean): Promise<LaneSeen>;
  deployment(lane: Lane, service: string): Promise<Deployment>;
  pods(lane: Lane): Promise<readonly Pod[]>;
}

const services = { proxy: { port: 8080 }, rating: { port: undefined } };

export async function startKubernetesRig(): Promise<KubernetesRig> {
  const namespace = await temporaryNamespace();
  const { client } = namespace;
  await bootstrapLanes(client, { app: 'ratings', services, manifests: {} }, AbortSignal.timeout(20_000));
  const open = (target: Partial<KubernetesTarget> = {}) =>
    openKubernetesWorkload({
      client,
      app: 'ratings',
      existing: undefined,
      natsUrl: 'nats://nats:4222',
      reach: 'pod',
      fence: () => 1,
      ...target,
    });
  const workload = open();
  return {
    client,
    workload,
    open,
    until: (lane, holds) => untilSeen(workload, lane, holds),
    async deployment(lane, service) {
      const found = await client.get<Deployment>(kinds.Deployment, `ratings-${lane}-${service}`, signal());
      if (found === undefined) throw new Error(`there is no ${service} in lane ${lane}`);
      return found;
    },
    async pods(lane) {
      return (await client.list<Pod>(kinds.Pod, { labels: `headgate.dev/lane=${lane}` }, signal())).items;
    },
    [Symbol.asyncDispose]: () => namespace[Symbol.asyncDispose](),
  };
}

async function untilSeen(workload: Workload, lane: Lane, holds: (seen: LaneSeen) => boolean) {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const seen = await workload.observe(lane, signal());
    if (holds(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`it never came to that: ${JSON.stringify(seen)}`);
    await sleep(100);
  }
}

export type Behaviour = 'sound' | 'crashing' | 'never-ready' | 'deaf' | 'imageless';

/** As `aRevision()`, of images that pods can pull. */
export async function podRevision({
  proxy = 'sound' as 'sound' | 'deaf',
  rating = 'sound' as Behaviour,
  commit = '',
  pod = undefined as PodTemplate | undefined,
  configMaps = undefined as readonly ConfigMapTemplate[] | undefined,
} = {}): Promise<Revision> {
  const [front, worker] = [await pushFakeService(proxy), await digestFor(rating)];
  return makeRevision({
    digests: { proxy: front, rating: worker },
    repositories: { proxy: podRepository(), rating: podRepository() },
    template: {
      services: {
        proxy: { replicas: 1, env: { COMMIT: commit }, port: 8080, pulls: [], probe: '/probe' },
        rating: {
          replicas: 1,
          env: {},
          port: undefined,
          pulls: ['get.ratings'],
          probe: undefined,
          ...(pod && { podTemplate: pod }),
          ...(configMaps && { configMaps }),
        },
      },
    },
    commit: 'a1b2c3',
  });
}

function digestFor(behaviour: Behaviour) {
  return behaviour === 'imageless' ? digestOf('nobody has pushed it') : pushFakeService(behaviour);
}

function signal(): AbortSignal {
  return AbortSignal.timeout(20_000);
}
