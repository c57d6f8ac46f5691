/** Why a service of a lane does not come up, read from what the cluster says of its Deployment and pods. */
import { conditionOf } from '../../platform/kubernetes/conditions.ts';
import type { Failure } from '../workload.ts';
import type { ContainerStatus, Deployment, Pod, Probe, Terminated } from './objects.ts';

/** `ask`: what the pod's Events say is needed to tell. `logs`: whose last lines belong to it, `previous` those of before its restart. */
export type Trouble = {
  readonly reason: Failure['reason'];
  readonly what: string;
  readonly pod: Pod | undefined;
  readonly logs: { readonly container: string; readonly previous: boolean } | undefined;
  /** Only a trouble if an Event of one of these kinds says so; its message is told. `undefined`: it is one in any case. */
  readonly onlyWith: readonly string[] | undefined;
};

/** As long as a local process has, less what a look may take. A startupProbe of the service's own counts instead. */
const readySeconds = 15;
/** A cluster that grows by itself is given so long to begin with it. */
const scheduleSeconds = 10;
const settingUpSeconds = 4;

const imageReasons =
  /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable)$/;
const configReasons =
  /^(CreateContainerConfigError|CreateContainerError|RunContainerError|StartError|ContainerCannotRun)$/;
const mountEvents = ['FailedMount', 'FailedAttachVolume', 'FailedCreatePodSandBox'];
const probeEvents = ['Unhealthy'];

/** The first that explains most. `pods` are those of the set revision that nobody has told to stop. Ages compare the cluster's clock with `now`. */
export function troubleOf(deployment: Deployment, pods: readonly Pod[], now: number): Trouble | undefined {
  const ofPods = pods.flatMap((pod) => podTrouble(pod, now));
  return (
    ofPods.toSorted((a, b) => order.indexOf(a.reason) - order.indexOf(b.reason))[0] ?? deploymentTrouble(deployment)
  );
}

/** What causes others stands before what it causes. */
const order: readonly Failure['reason'][] = ['image', 'config', 'crash', 'quota', 'schedule', 'probe', 'deadline'];

function podTrouble(pod: Pod, now: number): readonly Trouble[] {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const all = [...initContainerStatuses, ...containerStatuses];
  const ofContainers = [
    ...initContainerStatuses.flatMap((status) => containerTrouble(pod, status, failedEnd) ?? []),
    ...containerStatuses.flatMap((status) => containerTrouble(pod, status, anyEnd) ?? []),
  ];
  if (ofContainers.length > 0) return ofContainers;
  const found = unscheduled(pod, now) ?? settingUp(pod, all, now) ?? unready(pod, containerStatuses, now);
  return found === undefined ? [] : [found];
}

type EndRule = (ended: Terminated | undefined) => Terminated | undefined;

function containerTrouble(pod: Pod, status: ContainerStatus, endOf: EndRule): Trouble | undefined {
  const { name, state, lastState } = status;
  const waiting = state?.waiting;
  const ended = endOf(state?.terminated) ?? endOf(lastState?.terminated);
  const trouble = { pod, logs: undefined, onlyWith: undefined };
  if (imageReasons.test(waiting?.reason ?? ''))
    return { ...trouble, reason: 'image', what: `cannot have its image: ${waiting?.message ?? waiting?.reason}` };
  if (configReasons.test(waiting?.reason ?? ''))
    return { ...trouble, reason: 'config', what: `cannot be set up: ${waiting?.message ?? waiting?.reason}` };
  if (ended === undefined) return undefined;
  if (configReasons.test(ended.reason ?? ''))
    return { ...trouble, reason: 'config', what: `cannot be started: ${ended.message ?? ended.reason}` };
  const logs = { container: name, previous: state?.terminated === undefined };
  return { ...trouble, reason: 'crash', what: crashOf(ended), logs };
}

/** An init container that has done its work has ended well. */
const failedEnd: EndRule = (ended) => (ended?.exitCode === 0 ? undefined : ended);
/** A service shall never end by itself, whatever it says at its end. */
const anyEnd: EndRule = (ended) => ended;

function crashOf({ exitCode, reason, startedAt, finishedAt }: Terminated): string {
  const seconds = (Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '')) / 1_000;
  const after = Number.isFinite(seconds) ? ` after ${seconds} s` : '';
  const why = reason === 'OOMKilled' ? ', killed for using more memory than its limit' : '';
  return `ended with ${exitCode > 128 ? `signal ${exitCode - 128}` : `exit code ${exitCode}`}${after}${why}`;
}

function unscheduled(pod: Pod, now: number): Trouble | undefined {
  const scheduled = conditionOf(pod.status?.conditions, 'PodScheduled');
  if (scheduled?.status !== 'False' || secondsSince(pod.metadata.creationTimestamp, now) < scheduleSeconds)
    return undefined;
  const what = `finds no node: ${scheduled.message ?? scheduled.reason}`;
  return { reason: 'schedule', what, pod, logs: undefined, onlyWith: undefined };
}

/** A volume that cannot be mounted is told in Events alone. */
function settingUp(pod: Pod, statuses: readonly ContainerStatus[], now: number): Trouble | undefined {
  const since = conditionOf(pod.status?.conditions, 'PodScheduled')?.lastTransitionTime;
  const isWaiting = statuses.some(({ state }) =>
    /^(ContainerCreating|PodInitializing)$/.test(state?.waiting?.reason ?? ''),
  );
  if (!isWaiting || secondsSince(since, now) < settingUpSeconds) return undefined;
  return { reason: 'config', what: 'cannot be set up', pod, logs: undefined, onlyWith: mountEvents };
}

function unready(pod: Pod, statuses: readonly ContainerStatus[], now: number): Trouble | undefined {
  const slow = statuses.find(({ name, ready, state }) => {
    const seconds = secondsSince(state?.running?.startedAt, now);
    return !ready && state?.running !== undefined && seconds >= allowedSeconds(pod, name);
  });
  if (slow === undefined) return undefined;
  const what = `is not ready after ${allowedSeconds(pod, slow.name)} s`;
  return { reason: 'probe', what, pod, logs: { container: slow.name, previous: false }, onlyWith: undefined };
}

/** Events that say more of a trouble than the pod's own status. */
export function eventsFor({ reason, onlyWith }: Trouble): readonly string[] {
  return onlyWith ?? (reason === 'probe' ? probeEvents : []);
}

function allowedSeconds(pod: Pod, container: string): number {
  const { startupProbe, readinessProbe } = pod.spec?.containers?.find(({ name }) => name === container) ?? {};
  return (
    (startupProbe === undefined ? readySeconds : budgetOf(startupProbe)) + (readinessProbe?.initialDelaySeconds ?? 0)
  );
}

function budgetOf({ initialDelaySeconds = 0, periodSeconds = 10, failureThreshold = 3 }: Probe): number {
  return initialDelaySeconds + periodSeconds * failureThreshold;
}

/** Pods that were never made leave their traces here. */
function deploymentTrouble({ metadata, status }: Deployment): Trouble | undefined {
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return undefined; // It tells of what was asked before.
  const none = { pod: undefined, logs: undefined, onlyWith: undefined };
  const failed = conditionOf(status?.conditions, 'ReplicaFailure');
  if (failed?.status === 'True') {
    const reason = /exceeded quota/.test(failed.message ?? '') ? 'quota' : 'config';
    return { ...none, reason, what: `may not be made: ${failed.message ?? failed.reason}` };
  }
  const progress = conditionOf(status?.conditions, 'Progressing');
  if (progress?.reason !== 'ProgressDeadlineExceeded') return undefined;
  return { ...none, reason: 'deadline', what: `did not come up in time: ${progress.message ?? progress.reason}` };
}

/** What has no time has just begun. */
function secondsSince(time: string | undefined, now: number): number {
  return time === undefined ? 0 : (now - Date.parse(time)) / 1_000;
}
