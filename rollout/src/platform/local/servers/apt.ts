import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';

const run = promisify(execFile);
const lockMaxSeconds = 120;
const lookAgainMs = 500;

/** Who asks. Absent: this process. */
export type Asker = { readonly uid: number | undefined; readonly env: NodeJS.ProcessEnv };

/**
 * Installs Debian packages as root, or by a sudo that asks for no password, as CI machines have it; anybody else is told the one line.
 * @throws {HeadgateError} `SERVER_MISSING`
 */
export async function aptInstall(
  packages: readonly string[],
  { uid, env }: Asker = { uid: process.getuid?.(), env: process.env },
): Promise<void> {
  const line = `apt-get update && apt-get install -y ${packages.join(' ')}`;
  const missing = (why: string, cause?: unknown) =>
    new HeadgateError('SERVER_MISSING', `Cannot find ${packages.join(', ')} as ${why}`, {
      hint: `run \`${line}\` as root`,
      cause,
    });
  const isRoot = uid === 0;
  if (!isRoot && !(await hasFreeSudo(env))) throw missing('it is not installed, and only root may install it');
  const [command, ...before] = isRoot ? ['env'] : ['sudo', '-n', 'env']; // sudo takes nothing of the environment along.
  const options = ['-o', `DPkg::Lock::Timeout=${lockMaxSeconds}`, '-o', 'Acquire::Retries=3'];
  const setting = ['LC_ALL=C', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...options];
  const apt = (...args: string[]) =>
    run(command, [...before, ...setting, ...args], { env, timeout: 300_000, maxBuffer: 16 << 20 });
  try {
    await inTurn(() => apt('update'));
    await apt('install', '-y', '--no-install-recommends', ...packages);
  } catch (cause) {
    throw missing('apt-get could not install it', cause);
  }
}

/** Several processes may come here at once. apt-get waits for the lock of dpkg by itself, never for that of its lists. */
async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + lockMaxSeconds * 1_000; ; await sleep(lookAgainMs)) {
    try {
      return await act();
    } catch (error) {
      const { stderr = '' } = error as { readonly stderr?: string };
      if (!stderr.includes('Could not get lock') || Date.now() > end) throw error;
    }
  }
}

function hasFreeSudo(env: NodeJS.ProcessEnv): Promise<boolean> {
  return run('sudo', ['-n', 'true'], { env, timeout: 10_000 }).then(
    () => true,
    () => false, // Not there, or it wants a password.
  );
}
