import type { SupervisorClient } from '../platform/local/supervisor/client.ts';
import { saidAsWorkload } from './said.ts';
import type { Workload } from './workload.ts';

/** Lane processes on this machine: all work is the supervisor's, so a driver that is killed touches no lane. */
export function openLocalWorkload(client: SupervisorClient): Workload {
  return {
    setRevision: (lane, revision, signal) => saidAsWorkload(signal, () => client.setRevision(lane, revision, signal)),
    setWorkers: (lane, revision, signal) => saidAsWorkload(signal, () => client.setWorkers(lane, revision, signal)),
    scale: (lane, replicas, signal) => saidAsWorkload(signal, () => client.scale(lane, replicas, signal)),
    keep: async (_lane, _replicas, signal) => signal.throwIfAborted(), // No autoscalers here.
    letGo: async (_lane, signal) => signal.throwIfAborted(),
    closeConnections: (lane, olderThanMs, signal) =>
      saidAsWorkload(signal, () => client.closeConnections(lane, olderThanMs, signal)),
    label: async (_lane, _labels, signal) => signal.throwIfAborted(), // Nobody but `status` shows lanes here.
    observe: (lane, signal) => saidAsWorkload(signal, () => client.observe(lane, signal)),
    probe: (lane, signal) => saidAsWorkload(signal, () => client.probe(lane, signal)),
  };
}
