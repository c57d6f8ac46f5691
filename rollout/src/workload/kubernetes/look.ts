import type { Lane } from '../../lane.ts';
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { conditionOf } from '../../platform/kubernetes/conditions.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { laneSelector, marks } from '../../platform/kubernetes/lane-names.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import { type EndpointSlice, slicesOf } from '../../traffic/replicas.ts';
import type { LaneSeen, ServiceSeen } from '../workload.ts';
import { stateOf } from './autoscaler.ts';
import { failureOf } from './failure.ts';
import { labelsIn } from './labels.ts';
import type { Autoscaler, Deployment, Pod } from './objects.ts';
import { troubleOf } from './trouble.ts';

export type LaneObjects = {
  readonly deployments: readonly Deployment[];
  /** Those that still run something, as far as anybody can tell, whoever made them. */
  readonly pods: readonly Pod[];
  /** Names of pods that the lane's Service sends requests to. */
  readonly serving: ReadonlySet<string>;
};

export async function readLane(
  client: KubeClient,
  { app, lane }: { readonly app: string; readonly lane: Lane },
  signal: AbortSignal,
): Promise<LaneObjects> {
  const labels = laneSelector(app, lane);
  const [deployments, pods, slices] = await Promise.all([
    client.list<Deployment>(kinds.Deployment, { labels }, signal),
    client.list<Pod>(kinds.Pod, { labels }, signal),
    slicesOf(client, laneServices(app).weighted[lane], signal),
  ]);
  return {
    deployments: deployments.items,
    pods: pods.items.filter((pod) => exists(pod, Date.now())),
    serving: servingIn(slices),
  };
}

/** The longest that a fence lasts: who is given a lane's messages then waits for nobody either. */
const overdueMs = 20_000;

/**
 * An evicted pod leaves an object behind that nothing runs in. So does a lost node, for as long as it is lost: nobody there says that a
 * pod has ended, which its kubelet would have killed at the time that the object names.
 */
export function exists({ metadata, status }: Pod, now: number): boolean {
  const isOverdue = now - Date.parse(metadata.deletionTimestamp ?? '') >= overdueMs; // Of no time nothing is true.
  return status?.phase !== 'Failed' && status?.phase !== 'Succeeded' && !isOverdue;
}

function servingIn(slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const ready = slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions, targetRef }) => conditions?.ready === true && targetRef?.kind === 'Pod');
  return new Set(ready.map(({ targetRef }) => targetRef?.name ?? ''));
}

/** The revision that every service has which it names; `undefined` before the first and in the midst of a change. */
export function revisionIn(deployments: readonly Deployment[]): string | undefined {
  const set = new Map(deployments.map((one) => [serviceOf(one), revisionOf(one)]));
  const whole = deployments.filter((one) => {
    const services = one.metadata.annotations?.[marks.services]?.split(',') ?? [];
    return revisionOf(one) !== undefined && services.every((service) => set.get(service) === revisionOf(one));
  });
  const ids = new Set(whole.map(revisionOf));
  return ids.size === 1 ? [...ids][0] : undefined;
}

type Sight = {
  readonly lane: Lane;
  readonly objects: LaneObjects;
  /** All of the namespace. */
  readonly autoscalers: readonly Autoscaler[];
  readonly now: number;
};

export async function lookAtLane(
  client: KubeClient,
  { lane, objects, autoscalers, now }: Sight,
  signal: AbortSignal,
): Promise<LaneSeen> {
  const { deployments, pods, serving } = objects;
  const shown = deployments.filter(
    (one) => revisionOf(one) !== undefined || pods.some((pod) => serviceOf(pod) === serviceOf(one)),
  );
  const services = await Promise.all(
    shown.map(async (deployment): Promise<[string, ServiceSeen]> => {
      const service = serviceOf(deployment);
      const own = pods.filter((pod) => serviceOf(pod) === service);
      const current = own.filter((pod) => revisionOf(pod) === revisionOf(deployment));
      const going = current.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const trouble = (deployment.spec.replicas ?? 1) === 0 ? undefined : troubleOf(deployment, going, now);
      const seen = {
        wanted: deployment.spec.replicas ?? 1,
        ready: going.filter((pod) => isReady(pod, serving)).length,
        present: own.length,
        stale: own.length - current.length,
        failure: trouble && (await failureOf(client, { lane, service, trouble }, signal)),
      };
      return [service, seen];
    }),
  );
  return {
    revision: revisionIn(deployments),
    labels: labelsIn(deployments),
    autoscaler: stateOf(autoscalers, new Set(deployments.map(({ metadata }) => metadata.name))),
    services: Object.fromEntries(services),
  };
}

/** Available, and for a proxy also among those that requests are sent to: between the two lies the work of a controller. */
export function isReady(pod: Pod, serving: ReadonlySet<string>): boolean {
  const isAvailable = conditionOf(pod.status?.conditions, 'Ready')?.status === 'True';
  return isAvailable && (httpPortOf(pod) === undefined || serving.has(pod.metadata.name));
}

export function httpPortOf({ spec }: Pod): number | undefined {
  return spec?.containers?.flatMap(({ ports }) => ports ?? []).find(({ name }) => name === 'http')?.containerPort;
}

/** As it stands in an address. */
export function hostOf({ status }: Pod): string {
  const ip = status?.podIP ?? '';
  return ip.includes(':') ? `[${ip}]` : ip;
}

export function serviceOf({ metadata }: Deployment | Pod): string {
  return metadata.labels?.[marks.service] ?? '';
}

export function revisionOf({ metadata }: Deployment | Pod): string | undefined {
  return metadata.annotations?.[marks.revision];
}
