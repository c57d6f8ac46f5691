import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { openKubeClient } from '@headgate/rollout';
import { openOwnServer } from '../../../rollout/src/platform/kubernetes/own-server.rig.ts';

/** A way to the API server for whoever only reads, on which each answer comes `laterMs` later. */
export async function openFarServer(laterMs: number): Promise<AsyncDisposable & { readonly kubeconfig: string }> {
  const client = openKubeClient({ namespace: 'default' });
  const server = createServer(async ({ url = '/' }, outgoing) => {
    const [reply] = await Promise.all([client.text(url, AbortSignal.timeout(30_000)), sleep(laterMs)]);
    outgoing.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.text);
  });
  const { kubeconfig, ...own } = await openOwnServer(server);
  return {
    kubeconfig,
    async [Symbol.asyncDispose]() {
      await own[Symbol.asyncDispose]();
      client[Symbol.dispose]();
    },
  };
}
