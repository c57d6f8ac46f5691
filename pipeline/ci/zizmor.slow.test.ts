import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { unless, whyWithout } from './provide.rig.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');
const version = '1.32.0';

/** The pinned one from PyPI, in the user's cache. */
async function zizmor(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const place = join(cache, 'headgate', `zizmor-${version}`);
  const program = join(place, 'bin/zizmor');
  if (
    await access(program).then(
      () => true,
      () => false,
    )
  )
    return program;
  const making = `${place}.${process.pid}`;
  await mkdir(making, { recursive: true });
  const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', making, `zizmor==${version}`];
  await run('python3', args, { timeout: 180_000 });
  await rm(place, { recursive: true, force: true });
  await rename(making, place);
  return program;
}

const withPip = unless(await whyWithout({ pip3: 'python3-pip' }), test);

withPip(
  'zizmor has nothing to say about the workflows and the action',
  async () => {
    const args = ['--offline', '--format=json', '--no-progress', '.github/workflows', 'action.yml'];

    const { stdout } = await run(await zizmor(), args, { cwd: repository });

    expect(JSON.parse(stdout)).toEqual([]);
  },
  240_000,
);
