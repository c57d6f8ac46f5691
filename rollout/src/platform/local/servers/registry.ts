import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServer } from './find.ts';
import { freePort } from './postgres.ts';
import { type RunningServer, running, tied } from './process.ts';

/**
 * Starts an OCI registry (docker-registry) on loopback. `port` 0 (the default) takes a free one; a `folder` that is given is kept, and
 * its images are found again. `auth` (as the registry's own configuration has it) says who may; by default everybody who reaches it.
 * @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION`, `SERVER_START`
 */
export async function startRegistry({
  port = 0,
  folder,
  auth,
}: {
  port?: number;
  folder?: string;
  auth?: Readonly<Record<string, unknown>>;
} = {}): Promise<RunningServer> {
  const found = await findServer('docker-registry');
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'headgate-registry-')));
  const address = `127.0.0.1:${port === 0 ? await freePort() : port}`;
  const config = join(own, 'registry.json');
  await mkdir(own, { recursive: true });
  await writeFile(config, registryConfig(address, join(own, 'storage'), auth));
  const child = spawn(...tied(found.path, ['serve', config]), { stdio: ['ignore', 'ignore', 'pipe'] });
  return running(child, {
    name: 'docker-registry',
    found,
    url: `http://${address}`,
    ready: async () => {
      const { status } = await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(1_000) });
      return status === 200 || (auth !== undefined && status === 401);
    },
    cleanUp: async () => {
      if (folder === undefined) await rm(own, { recursive: true, force: true });
    },
  });
}

/** Its format is YAML, of which JSON is a part. */
function registryConfig(address: string, folder: string, auth: Readonly<Record<string, unknown>> | undefined): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true } },
    http: { addr: address },
    auth,
  });
}
