/** A server of a test's own in place of the API server. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Lets it listen on this machine alone. Its kubeconfig leads there and goes with it. */
export async function openOwnServer(server: Server): Promise<AsyncDisposable & { readonly kubeconfig: string }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'headgate-server-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const [name, cluster] = ['own', { server: `http://127.0.0.1:${port}` }];
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
      await rm(folder, { recursive: true, force: true });
    },
  };
}
