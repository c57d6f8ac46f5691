import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../..');

test('the package has the playbooks, where a rolling update finds them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-package-'));
  try {
    const copy = join(folder, 'repository/pipeline');
    for (const name of ['package.json', 'dist'])
      await cp(join(repository, 'pipeline', name), join(copy, name), { recursive: true });
    await cp(join(repository, 'ansible'), join(folder, 'repository/ansible'), { recursive: true });
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: copy });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const installed = join(folder, 'node_modules/@headgate');
    await mkdir(installed, { recursive: true });
    await symlink(join(repository, 'rollout'), join(installed, 'rollout'));
    await run('tar', ['-xzf', join(folder, filename), '-C', installed]);

    const own = join(installed, 'package');
    const ask = `import(${JSON.stringify(join(own, 'dist/deploy/ansible.js'))}).then((m) => console.log(m.ansibleFolder))`;
    const found = (await run(process.execPath, ['--eval', ask])).stdout.trim();

    expect(found).toBe(join(own, 'ansible'));
    expect(await contentsOf(found)).toEqual(await contentsOf(join(repository, 'ansible')));
    expect((await readdir(copy)).sort()).toEqual(['dist', 'package.json']); // Nothing of it stays behind.
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);

async function contentsOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return Object.fromEntries(files.map((file, i) => [file.slice(folder.length), read[i] ?? '']));
}
