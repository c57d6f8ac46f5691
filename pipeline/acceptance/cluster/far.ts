import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openKubeClient } from '@headgate/rollout';

/** A way to the API server for whoever only reads, on which each answer comes `laterMs` later. */
export async function openFarServer(laterMs: number): Promise<AsyncDisposable & { readonly kubeconfig: string }> {
  const client = openKubeClient({ namespace: 'default' });
  const server = createServer(async ({ url = '/' }, outgoing) => {
    const [reply] = await Promise.all([client.text(url, AbortSignal.timeout(30_000)), sleep(laterMs)]);
    outgoing.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'headgate-far-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const [name, cluster] = ['far', { server: `http://127.0.0.1:${port}` }];
  const contexts = [{ name, context: { cluster: name } }];
  await writeFile(
    kubeconfig,
    JSON.stringify({ 'current-context': name, contexts, clusters: [{ name, cluster }], users: [] }),
  );
  return {
    kubeconfig,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      client[Symbol.dispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
