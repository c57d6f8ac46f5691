import type { KubeClient } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { findAccess } from '../platform/kubernetes/find-access.ts';
import { kinds, pathOf } from '../platform/kubernetes/kinds.ts';
import { openTransport } from '../platform/kubernetes/transport.ts';

/** A pod that nobody runs: a process on the node stands at its address, where the API server reaches it like any pod. */
export async function makeRunningPod(
  client: KubeClient,
  name: string,
  podIP: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const pod = {
    metadata: { name, labels: { app: 'ratings', ...labels } },
    spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'none' }] },
  };
  await client.create(kinds.Pod, pod, signal);
  using transport = openTransport(findAccess({ kubeconfig: testCluster().kubeconfig }, process.env));
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
  const reply = await transport.send(
    {
      method: 'PATCH',
      path: pathOf(kinds.Pod, client.namespace, name, 'status'),
      doing: 'set the status of a pod',
      body: { type: 'application/merge-patch+json', text: JSON.stringify({ status }) },
    },
    signal,
  );
  if (reply.status !== 200) throw new Error(`the status is not set: ${reply.text}`);
}
