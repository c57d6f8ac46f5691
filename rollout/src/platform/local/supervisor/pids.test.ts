import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { markOf } from '../../../journal/process-mark.ts';
import { clearLeftovers, recordPid } from './pids.ts';

let folder: string;
let file: string;
let child: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-pids-'));
  file = join(folder, 'pids');
  child = spawn('sleep', ['60']);
  await once(child, 'spawn');
});

afterEach(async () => {
  child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

test('clearLeftovers() ends what was noted, and is done when it is gone', async () => {
  await recordPid(file, child.pid!);

  await clearLeftovers(file);

  expect(await markOf(child.pid!)).toBeUndefined();
});

test('clearLeftovers() leaves a process alone that has a noted number by chance', async () => {
  const mark = (await markOf(child.pid!))!;
  await appendFile(file, `${mark.slice(0, mark.lastIndexOf('/'))}/1\n`);

  await clearLeftovers(file);

  expect(await markOf(child.pid!)).toBe(mark);
});

test('clearLeftovers() has nothing to do where nothing was noted', async () => {
  await expect(clearLeftovers(file)).resolves.toBeUndefined();
});
