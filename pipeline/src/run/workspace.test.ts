import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sha256, Workspace } from './workspace.ts';

let root: string;
let memory: string;
const open = () => Workspace.open(root, memory);

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'headgate-workspace-'));
  memory = join(root, '.headgate/fingerprints.json');
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe('Workspace.find()', () => {
  test('gives files that match, sorted, without what is never an input', async () => {
    for (const path of ['b.ts', 'a.ts', 'src/c.ts', 'src/node_modules/d.ts', '.git/e.ts', '.headgate/f.ts', 'src/g.md'])
      await write(path, path);

    expect(await (await open()).find(['**/*.ts', '!b.ts'])).toEqual(['a.ts', 'src/c.ts']);
  });

  test('refuses a glob that matches nothing, by name', async () => {
    await write('a.ts', '');

    await expect((await open()).find(['*.ts', 'srv/**'])).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('"srv/**"'),
    });
  });

  test('follows a link to a file, and none to a folder', async () => {
    await write('src/a.ts', 'a');
    await symlink('src/a.ts', join(root, 'link.ts'));
    await symlink('.', join(root, 'src/round'));

    expect(await (await open()).find(['**/*.ts'])).toEqual(['link.ts', 'src/a.ts']);
  });
});

describe('Workspace.fingerprint()', () => {
  test('is content and executable bit, whatever the times and the other bits', async () => {
    await write('a', 'one');
    const workspace = await open();
    const before = await workspace.fingerprint('a');
    await chmod(join(root, 'a'), 0o600);
    await utimes(join(root, 'a'), 1, 1);
    const same = await workspace.fingerprint('a');
    await chmod(join(root, 'a'), 0o755);

    expect(before).toEqual({ sha256: sha256('one'), executable: false });
    expect(same).toEqual(before);
    expect(await workspace.fingerprint('a')).toEqual({ sha256: sha256('one'), executable: true });
  });

  test('is none for a folder and for what is not there', async () => {
    await mkdir(join(root, 'folder'));
    const workspace = await open();

    expect(await workspace.fingerprint('folder')).toBeUndefined();
    expect(await workspace.fingerprint('nobody')).toBeUndefined();
  });

  test('sees a change of the same size in the same moment, in this process and in the next', async () => {
    await write('a', 'one');
    const workspace = await open();
    await workspace.fingerprint('a');
    await writeFile(join(root, 'a'), 'two');
    expect((await workspace.fingerprint('a'))?.sha256).toBe(sha256('two'));
    await workspace.save(memory);

    await writeFile(join(root, 'a'), 'six');

    expect((await (await open()).fingerprint('a'))?.sha256).toBe(sha256('six'));
  });

  test.each(['', '{', '[]', 'null', '{"a":7,"b":{"stamp":1}}'])('a memory that is %j only costs time', async (text) => {
    await write('a', 'one');
    await write('.headgate/fingerprints.json', text);

    expect((await (await open()).fingerprint('a'))?.sha256).toBe(sha256('one'));
  });
});

test('Workspace.about() asks once for each state of a file, also across processes', async () => {
  await write('tool', 'v1');
  let asked = 0;
  const ask = async () => String(++asked);
  const first = await open();
  await first.about(join(root, 'tool'), ask);
  await first.about(join(root, 'tool'), ask);
  await first.save(memory);
  const second = await open();

  expect(await second.about(join(root, 'tool'), ask)).toBe('1');
  await writeFile(join(root, 'tool'), 'version 2');
  expect(await second.about(join(root, 'tool'), ask)).toBe('2');
});
