import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { clearDeadWork, workFolder } from './work.ts';

test('clearDeadWork() removes the work of the dead and leaves that of the living', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-work-'));
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const own = workFolder(folder, 'abc');
  await mkdir(join(own, 'deep'), { recursive: true });
  await mkdir(join(folder, `${child.pid}-abc`, 'deep'), { recursive: true });

  await clearDeadWork(folder);

  expect(await readdir(folder)).toEqual([basename(own)]);
  await rm(folder, { recursive: true });
});

test('clearDeadWork() minds no folder that is not there', async () => {
  await expect(clearDeadWork('/nonexistent/work')).resolves.toBeUndefined();
});
