import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import type { Lane } from '../lane.ts';
import { conditionOf } from '../platform/kubernetes/conditions.ts';
import type { QueueApp } from '../queue/names.ts';
import { listPods, type Pod, type PodPlace, textOf } from './pods.ts';
import { readProcessPage } from './process-page.ts';
import type { Processes, ProcessSeen } from './processes.ts';

export type PodProcessesTarget = Omit<PodPlace, 'labels'> &
  QueueApp & {
    /** Which pods a lane has, as in `kubectl -l`. */
    readonly labelsOf: (lane: Lane) => string;
  };

const pageMaxMs = 1_000;

/** The lane processes of a cluster: its pods, each asked for its own page. */
export function openPodProcesses(target: PodProcessesTarget): Processes {
  return {
    async observe(lane, signal) {
      const place = { ...target, labels: target.labelsOf(lane) };
      const pods = await listPods(place, signal).catch((cause: unknown) => {
        signal.throwIfAborted();
        throw new HeadgateError(
          'METRICS_UNREACHABLE',
          `Cannot read the counts of lane ${lane} as nobody lists its pods`,
          {
            hint: `run \`kubectl auth can-i list pods -n ${target.client.namespace}\``,
            cause,
          },
        );
      });
      return Promise.all(pods.map((pod) => seenOf(pod, place, target, signal)));
    },
  };
}

async function seenOf(pod: Pod, place: PodPlace, app: QueueApp, signal: AbortSignal): Promise<ProcessSeen> {
  const { containerStatuses = [], conditions } = pod.status ?? {};
  const restarts = containerStatuses.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
  const page = await textOf(pod, place, withDeadline(signal, pageMaxMs)).catch(
    () => undefined, // Not there yet, gone, or too slow: the reader knows what that means.
  );
  return {
    id: `${pod.metadata.uid}/${restarts}`,
    ready: conditionOf(conditions, 'Ready')?.status === 'True',
    series: page === undefined ? undefined : readProcessPage(page, app),
  };
}
