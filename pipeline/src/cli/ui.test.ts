import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { aShell } from './shell.rig.ts';

const repository = join(import.meta.dirname, '../../..');
const good = readFileSync(join(repository, 'headgate.yaml'), 'utf8');
const program = ['--conditions=source', '--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'bin.ts')];

test('ui prints the URL of a page and its data, starts nothing, and ends by a signal with 0', async () => {
  await using shell = await aShell({ 'headgate.yaml': good });
  const child = spawn(process.execPath, [...program, 'ui'], { cwd: shell.cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  const url = String(line).trim();

  const page = await (await fetch(url)).text();
  const status = await (await fetch(`${url}status`)).json();
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');

  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(page).toMatch(/^<!doctype html>/);
  expect(status).toEqual({ app: 'ratings', state: 'idle', lines: ['ratings · nothing has been released yet'] });
  expect(code).toBe(0);
});
