import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';

const run = promisify(execFile);

/** Installs Debian packages as root; anybody else is told the one line. @throws {HeadgateError} `SERVER_MISSING` */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  const line = `apt-get update && apt-get install -y ${packages.join(' ')}`;
  const missing = (why: string, cause?: unknown) =>
    new HeadgateError('SERVER_MISSING', `Cannot find ${packages.join(', ')} as ${why}`, {
      hint: `run \`${line}\` as root`,
      cause,
    });
  if (process.getuid?.() !== 0) throw missing('it is not installed, and only root may install it');
  // Several test processes may come here at once: dpkg's own lock puts them in a row.
  const apt = (...args: string[]) =>
    run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: 300_000,
      maxBuffer: 16 << 20,
    });
  try {
    await apt('update');
    await apt('install', '-y', '--no-install-recommends', ...packages);
  } catch (cause) {
    throw missing('apt-get could not install it', cause);
  }
}
