import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BoundedLog } from './bounded-log.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-log-'));
  path = join(folder, 'a.log');
});

afterEach(() => rm(folder, { recursive: true }));

test('BoundedLog keeps the last 20 lines at hand, whatever pieces they came in', async () => {
  const log = new BoundedLog(path);

  for (let i = 0; i < 30; i++) log.write(`line ${i}\nli`.slice(0, -2));
  log.write('half a ');
  log.write('line');

  expect(log.tail).toHaveLength(20);
  expect(log.tail.slice(-2)).toEqual(['line 29', 'half a line']);
  await log.written();
  expect(await readFile(path, 'utf8')).toMatch(/^line 0\n(?:.|\n)*half a line$/);
});

test('BoundedLog bounds the file and keeps one older', async () => {
  const log = new BoundedLog(path);

  for (let i = 0; i < 12; i++) {
    log.write(`${'x'.repeat(200_000)}\n`);
    await log.written();
  }

  expect((await stat(path)).size).toBeLessThanOrEqual(1 << 20);
  expect((await stat(`${path}.1`)).size).toBeLessThanOrEqual(1 << 20);
});

test('BoundedLog survives a folder that is gone', async () => {
  const log = new BoundedLog(join(folder, 'none', 'a.log'));

  log.write('still here\n');
  await log.written();

  expect(log.tail).toEqual(['still here']);
});
