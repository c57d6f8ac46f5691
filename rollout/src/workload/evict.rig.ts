import type { KubeClient } from '../platform/kubernetes/client.ts';
import { testCluster } from '../platform/kubernetes/cluster.rig.ts';
import { findAccess } from '../platform/kubernetes/find-access.ts';
import { kinds, pathOf } from '../platform/kubernetes/kinds.ts';
import { openTransport } from '../platform/kubernetes/transport.ts';

/** As `kubectl drain` asks. @returns the status of the answer */
export async function evict({ namespace }: KubeClient, pod: string): Promise<number> {
  using transport = openTransport(findAccess({ kubeconfig: testCluster().kubeconfig }, process.env));
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const path = pathOf(kinds.Pod, namespace, pod, 'eviction');
  const body = { type: 'application/json', text: JSON.stringify(eviction) };
  return (await transport.send({ method: 'POST', path, doing: `evict ${pod}`, body }, AbortSignal.timeout(40_000)))
    .status;
}
