/**
 * The lanes as Deployments: one for each service and lane, which Headgate alone sets. A command reads the object, checks the fence in
 * it, and writes over the version that it read; a command to one lane reads and writes nothing of the other.
 */
import { HeadgateError } from '../errors.ts';
import type { Lane } from '../lane.ts';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { laneObjectName, marks } from '../platform/kubernetes/lane-names.ts';
import { newDeployment } from '../platform/kubernetes/lane-objects.ts';
import type { QueueApp } from '../queue/names.ts';
import type { PodTemplate, Revision } from '../revision.ts';
import { giveBackAutoscalers, listAutoscalers, raiseAutoscalers } from './kubernetes/autoscaler.ts';
import { dropConfigMaps, makeConfigMaps } from './kubernetes/config.ts';
import { closeConnections } from './kubernetes/connections.ts';
import { labelLane } from './kubernetes/labels.ts';
import { lookAtLane, readLane, revisionOf, serviceOf } from './kubernetes/look.ts';
import type { Deployment } from './kubernetes/objects.ts';
import { podTemplateOf } from './kubernetes/pod.ts';
import { probeLane, type Reach } from './kubernetes/probe.ts';
import { annotated, change, type Writer } from './kubernetes/write.ts';
import { saidAsWorkload } from './said.ts';
import type { LaneSeen, ProbeAnswer, Workload } from './workload.ts';

export type KubernetesTarget = Writer &
  QueueApp & {
    /** In the app's namespace. */
    readonly client: KubeClient;
    /** Address of NATS as pods reach it; `undefined` for an app without a queue. */
    readonly natsUrl: string | undefined;
    readonly reach: Reach;
  };

export function openKubernetesWorkload(target: KubernetesTarget): Workload {
  const { client, app } = target;
  let probes = 0;
  return {
    setRevision: (lane, revision, signal) => saidAsWorkload(signal, () => setRevision(target, lane, revision, signal)),
    setWorkers: (lane, revision, signal) => saidAsWorkload(signal, () => setWorkers(target, lane, revision, signal)),
    scale: (lane, replicas, signal) => saidAsWorkload(signal, () => scale(target, lane, replicas, signal)),
    observe: (lane, signal) =>
      saidAsWorkload(signal, async (): Promise<LaneSeen> => {
        const [objects, autoscalers] = await Promise.all([
          readLane(client, { app, lane }, signal),
          listAutoscalers(client, signal),
        ]);
        return lookAtLane(client, { lane, objects, autoscalers, now: Date.now() }, signal);
      }),
    probe: (lane, signal) =>
      saidAsWorkload(signal, async (): Promise<ProbeAnswer> => {
        const objects = await readLane(client, { app, lane }, signal);
        return probeLane(client, { lane, objects, reach: target.reach, turn: probes++ }, signal);
      }),
    closeConnections: (lane, olderThanMs, signal) =>
      saidAsWorkload(signal, async () => {
        const { pods } = await readLane(client, { app, lane }, signal);
        await closeConnections(client, { pods, olderThanMs, reach: target.reach }, signal);
      }),
    label: (lane, labels, signal) => saidAsWorkload(signal, () => labelLane(target, { app, lane, ...labels }, signal)),
    keep: (lane, replicas, signal) =>
      saidAsWorkload(signal, () => raiseAutoscalers(target, sizesIn(target, lane, replicas), signal)),
    letGo: (lane, signal) =>
      saidAsWorkload(signal, async () => {
        const { deployments } = await readLane(client, { app, lane }, signal);
        await giveBackAutoscalers(target, new Set(deployments.map(({ metadata }) => metadata.name)), signal);
      }),
  };
}

/** Every service has its Deployment before the first gets the revision, and those that the revision lacks lose theirs last. */
async function setRevision(
  target: KubernetesTarget,
  lane: Lane,
  revision: Revision,
  signal: AbortSignal,
): Promise<void> {
  const { client, app } = target;
  const services = Object.keys(revision.template.services).sort();
  const { deployments } = await readLane(client, { app, lane }, signal);
  const known = new Set(deployments.map(serviceOf));
  for (const service of services.filter((each) => !known.has(each))) {
    // A conflict is somebody who made it meanwhile.
    await client.create<KubeObject>(kinds.Deployment, newDeployment({ app, lane, service }), signal);
  }
  for (const service of services) await setService(target, { lane, service, services, revision }, signal);
  for (const service of [...known].filter((each) => !services.includes(each))) {
    await changeDeployment(target, { lane, service }, unset, signal);
  }
}

async function setWorkers(
  target: KubernetesTarget,
  lane: Lane,
  revision: Revision,
  signal: AbortSignal,
): Promise<void> {
  const { client, app } = target;
  const services = Object.keys(revision.template.services).sort();
  for (const service of services) {
    if (revision.template.services[service]?.port !== undefined) continue;
    await client.create<KubeObject>(kinds.Deployment, newDeployment({ app, lane, service }), signal); // Or it is there.
    await setService(target, { lane, service, services, revision }, signal);
  }
}

type Setting = {
  readonly lane: Lane;
  readonly service: string;
  readonly services: readonly string[];
  readonly revision: Revision;
};

async function setService(target: KubernetesTarget, setting: Setting, signal: AbortSignal): Promise<void> {
  const { client, app, existing, natsUrl } = target;
  const { service, revision } = setting;
  const template = revision.template.services[service];
  if (template === undefined) return;
  const pod = podTemplateOf({ app, existing, template, ...setting }, natsUrl);
  const annotations = revisionMarks(setting);
  const place = { client, app, lane: setting.lane, service };
  await makeConfigMaps(place, template, signal);
  await changeDeployment(target, setting, (current) => annotated(withTemplate(current, pod), annotations), signal);
  await dropConfigMaps(place, template, signal);
}

/** What a Deployment says of the revision that it runs; `undefined`: nothing. */
export function revisionMarks({ services, revision }: Pick<Setting, 'services' | 'revision'>) {
  return {
    [marks.revision]: revision.id,
    [marks.services]: services.join(','),
    [marks.commit]: revision.commit,
  };
}

function withTemplate(current: Deployment, template: PodTemplate): Deployment {
  return { ...current, spec: { ...current.spec, template } };
}

function unset(current: Deployment): Deployment {
  const none = { [marks.revision]: undefined, [marks.services]: undefined, [marks.commit]: undefined };
  return annotated({ ...current, spec: { ...current.spec, replicas: 0 } }, none);
}

async function scale(
  target: KubernetesTarget,
  lane: Lane,
  replicas: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<void> {
  const sizes = sizesIn(target, lane, replicas);
  const up = new Map([...sizes].filter(([, n]) => n > 0));
  // The minimum first, or an autoscaler takes away in between what is asked for; back only when there is nothing to take.
  await raiseAutoscalers(target, up, signal);
  for (const [service, n] of Object.entries(replicas)) {
    await changeDeployment(target, { lane, service }, (current) => scaled(current, n), signal);
  }
  const stopped = new Set([...sizes.keys()].filter((name) => !up.has(name)));
  if (stopped.size > 0) await giveBackAutoscalers(target, stopped, signal);
}

/** Sizes by name of Deployment. */
function sizesIn(
  { app }: KubernetesTarget,
  lane: Lane,
  replicas: Readonly<Record<string, number>>,
): ReadonlyMap<string, number> {
  return new Map(Object.entries(replicas).map(([service, n]) => [laneObjectName(app, lane, service), n]));
}

function scaled(current: Deployment, n: number): Deployment {
  if (n > 0 && revisionOf(current) === undefined) throw missing(current.metadata.name, 'no revision is set in it');
  const replicas = n === 0 ? 0 : Math.max(n, current.spec.replicas ?? 1);
  return { ...current, spec: { ...current.spec, replicas } };
}

async function changeDeployment(
  target: KubernetesTarget,
  { lane, service }: { readonly lane: Lane; readonly service: string },
  alter: (current: Deployment) => Deployment,
  signal: AbortSignal,
): Promise<void> {
  const name = laneObjectName(target.app, lane, service);
  const changed = await change<Deployment>(target, { kind: kinds.Deployment, name, alter }, signal);
  if (changed === undefined) throw missing(name, 'it is not there');
}

export function missing(name: string, why: string): HeadgateError {
  return new HeadgateError('WORKLOAD_UNREACHABLE', `Cannot use Deployment ${name} as ${why}`, {
    hint: 'run `headgate bootstrap`, then the same command again',
  });
}
