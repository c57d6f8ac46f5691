import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { compareVersions, findServer } from './find.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-find-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function binary(name: string, version: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\necho "${name}: v${version}"\n`);
  await chmod(path, 0o755);
  return path;
}

test('findServer() takes the variable before the PATH and says what it took', async () => {
  const path = await binary('my-nats', '2.12.3');

  await expect(findServer('nats-server', { HEADGATE_NATS_SERVER: path, PATH: folder })).resolves.toEqual({
    path,
    version: '2.12.3',
  });
});

test('findServer() refuses a version outside the range and names both versions', async () => {
  await binary('nats-server', '2.9.10');

  await expect(findServer('nats-server', { PATH: folder })).rejects.toMatchObject({
    code: 'SERVER_VERSION',
    message: expect.stringMatching(/2\.11\.0.*"2\.9\.10"/),
    hint: expect.stringContaining('HEADGATE_NATS_SERVER'),
  });
});

test('findServer() refuses a variable that names no program', async () => {
  await expect(findServer('haproxy', { HEADGATE_HAPROXY: join(folder, 'none') })).rejects.toMatchObject({
    code: 'SERVER_MISSING',
  });
});

test.each([
  ['2.9.10', '2.11.0', -1],
  ['2.11', '2.11.0', 0],
  ['3.0', '2.15.1', 1],
])('compareVersions(%s, %s) compares by number', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
});
