import { randomUUID } from 'node:crypto';
import type { Peers } from '../journal/kubernetes/lease.ts';
import type { KubeClient, KubeObject } from '../platform/kubernetes/client.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';

type Pod = KubeObject & {
  readonly status?: { readonly containerStatuses?: readonly { readonly state?: { readonly running?: object } }[] };
};

/**
 * Pods that drive in turn. The kubelet starts a container again after its end alone, and says when it has ended; of a node that says
 * nothing the last word stands, and its pods' locks run out.
 */
export function podPeers(client: KubeClient, pod: string): Peers {
  return {
    own: holderOf(pod),
    life: randomUUID(),
    async hasEnded(holder, signal) {
      const name = podOf(holder);
      if (name === undefined || name === pod) return false;
      const found = await client.get<Pod>(kinds.Pod, name, signal);
      const containers = found?.status?.containerStatuses ?? [];
      return containers.length > 0 && containers.every(({ state }) => state?.running === undefined);
    },
  };
}

export function holderOf(pod: string): string {
  return `controller/${pod}`;
}

function podOf(holder: string): string | undefined {
  return /^controller\/(.+)$/.exec(holder)?.[1];
}
