import { execFile } from 'node:child_process';
import { appendFile, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fromMachine, machineKey } from './base.ts';

const signal = AbortSignal.timeout(60_000);

describe('fromMachine()', () => {
  let cacheFolder: string;
  beforeAll(async () => {
    cacheFolder = await mkdtemp(join(tmpdir(), 'headgate-base-'));
  });
  afterAll(() => rm(cacheFolder, { recursive: true, force: true }));

  test('makes one layer in which Node runs without this machine, and makes it once', async () => {
    const base = fromMachine({ cacheFolder });

    const [first, second] = [await base(signal), await base(signal)];

    expect(second).toEqual(first);
    expect(await readdir(cacheFolder)).toHaveLength(1);
    const root = join(cacheFolder, 'root');
    await promisify(execFile)('sh', ['-c', `mkdir ${root} && tar -xzf ${first[0]?.file} -C ${root}`]);
    const { stdout } = await promisify(execFile)('bwrap', [
      ...['--ro-bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
      ...['--unshare-user', '--uid', '1000', '--gid', '1000', '--die-with-parent', '--clearenv'],
      ...['/usr/local/bin/node', '-p', "require('os').userInfo().username + ' ' + process.version"],
    ]);
    expect(stdout).toBe(`node ${process.version}\n`);
  }, 90_000);

  test('machineKey() is another one for other bytes of Node under the same path and version, and is read once', async () => {
    const node = join(cacheFolder, 'node');
    await copyFile(process.execPath, node);
    const key = () => machineKey({ cacheFolder, node }, signal);
    const first = await key();
    expect(await key()).toBe(first);
    expect((await readdir(cacheFolder)).filter((name) => name.startsWith('key-'))).toHaveLength(1);

    await appendFile(node, 'one byte more');

    expect(await key()).not.toBe(first);
    expect(await machineKey({ cacheFolder }, signal)).toBe(first);
  });

  test('says what is missing for a Node that ldd cannot read', async () => {
    const base = fromMachine({ cacheFolder, node: '/etc/passwd' });

    await expect(base(signal)).rejects.toMatchObject({ code: 'STEP_FAILED', hint: expect.stringContaining('ldd') });
  });
});
