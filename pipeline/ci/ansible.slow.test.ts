import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';

const folder = join(import.meta.dirname, '../../ansible');
const run = promisify(execFile);
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const { stdout } = await run(join(folder, 'setup.sh'), { timeout: 300_000 });
  env = { ...process.env, PATH: `${stdout.trim()}:${process.env['PATH']}`, LC_ALL: 'C.UTF-8' };
}, 300_000);

describe('ansible', () => {
  test('yamllint has nothing to say, not even a warning', async () => {
    expect(await run('yamllint', ['--strict', '.'], { cwd: folder, env })).toEqual({ stdout: '', stderr: '' });
  });

  test('ansible-lint has nothing to say by its strictest profile', async () => {
    const { stderr } = await run('ansible-lint', ['--nocolor'], { cwd: folder, env });

    expect(stderr).toContain('0 failure(s), 0 warning(s) in');
    expect(stderr).toContain("Profile 'production' was required, and it passed");
  }, 180_000);
});
