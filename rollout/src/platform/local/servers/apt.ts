import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';

const run = promisify(execFile);

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
  // Several test processes may come here at once: dpkg's own lock puts them in a row.
  const setting = ['DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=120'];
  const apt = (...args: string[]) =>
    run(command, [...before, ...setting, ...args], { env, timeout: 300_000, maxBuffer: 16 << 20 });
  try {
    await apt('update');
    await apt('install', '-y', '--no-install-recommends', ...packages);
  } catch (cause) {
    throw missing('apt-get could not install it', cause);
  }
}

function hasFreeSudo(env: NodeJS.ProcessEnv): Promise<boolean> {
  return run('sudo', ['-n', 'true'], { env, timeout: 10_000 }).then(
    () => true,
    () => false, // Not there, or it wants a password.
  );
}
