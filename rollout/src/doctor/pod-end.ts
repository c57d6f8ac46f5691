/** How a pod of a lane ends: a proxy answers what it has, a worker lets go quickly. */
import type { KubeObject } from '../platform/kubernetes/client.ts';
import type { ServiceSpec } from '../spec.ts';
import { proxyGraceSeconds, workerGraceSeconds } from '../workload/kubernetes/pod.ts';
import { type Finding, hint, missing } from './finding.ts';
import type { Container, Written } from './manifests.ts';

const answersMs = 5_000;
const spareSeconds = 5;

export function endFindings(written: Written): readonly Finding[] {
  return written.service.port === undefined ? ofWorker(written) : ofProxy(written);
}

function ofProxy({ about, pod, container, service, objects }: Written): readonly Finding[] {
  const { lifecycle } = container;
  if (lifecycle !== undefined && lifecycle.preStop === undefined) {
    return [
      missing(
        about,
        'its lifecycle must have a preStop, as gateways send requests for some seconds more',
        'add preStop: { sleep: { seconds: 3 } }, or leave lifecycle out',
      ),
    ];
  }
  const waits = lifecycle?.preStop?.sleep?.seconds ?? 3; // A command's time is not known; Headgate's own preStop waits so long.
  const needed = waits + Math.ceil(timeoutMs(service, container, objects) / 1_000) + spareSeconds;
  const grace = pod.terminationGracePeriodSeconds ?? proxyGraceSeconds;
  return grace >= needed
    ? []
    : [
        missing(
          about,
          `terminationGracePeriodSeconds must be at least ${needed}, its preStop, the time of an answer and ${spareSeconds} s more: current value is "${grace}"`,
          `write terminationGracePeriodSeconds: ${needed}`,
        ),
      ];
}

function ofWorker({ about, pod }: Written): readonly Finding[] {
  const grace = pod.terminationGracePeriodSeconds ?? workerGraceSeconds;
  return grace <= workerGraceSeconds
    ? []
    : [
        hint(
          about,
          `a rollback waits up to ${grace} s for a worker that does not end: current value of terminationGracePeriodSeconds is "${grace}"`,
          `write ${workerGraceSeconds}: what it has not finished, live's workers do`,
        ),
      ];
}

/** headgate.yaml before the manifests, as in the pod. */
function timeoutMs({ env }: ServiceSpec, container: Container, objects: readonly KubeObject[]): number {
  const named = 'REQUEST_TIMEOUT_MS';
  const maps = objects.filter(({ kind }) => kind === 'ConfigMap') as { data?: Record<string, string> }[];
  const written =
    env[named] ??
    container.env?.find(({ name }) => name === named)?.value ??
    maps.find(({ data }) => data?.[named])?.data?.[named];
  return Number(written ?? answersMs);
}
