import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { anApp, bin } from './process.rig.ts';

const failing = '#!/bin/sh\nsleep 0.2\necho no\nexit 1\n';

/** A line of Bash in the app's folder, in which `$headgate` is the command. */
async function sh(root: string, line: string, env: Readonly<Record<string, string>> = {}) {
  const own = { PATH: process.env['PATH'], headgate: `${process.execPath} ${bin}`, ...env };
  const running = promisify(execFile)('bash', ['-o', 'pipefail', '-c', line], { cwd: root, env: own });
  return await running.then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    ({ code, stdout }: { code: number; stdout: string }) => ({ code, out: stdout }),
  );
}

test.each([
  '$headgate run check | head -c 1 >/dev/null',
  '$headgate run check >/dev/full',
  '$headgate run check --json 2>&1 >/dev/full | head -c 0',
])('what acts goes on when nobody reads it, and its exit code is its own: %s', async (line) => {
  await using app = await anApp(failing);

  expect((await sh(app.root, line)).code).toBe(1);
});

test('what only shows something is no failure when its reader has seen enough, and one when nobody can read it', async () => {
  await using app = await anApp(failing);

  expect(await sh(app.root, '$headgate config show | head -c 1 >/dev/null')).toMatchObject({ code: 0 });
  expect(await sh(app.root, '$headgate config show >/dev/full')).toMatchObject({ code: 1 });
});

test('on GitHub what a program reads holds nothing else, and nothing that its runner would obey', async () => {
  await using app = await anApp(failing);
  const env = { GITHUB_ACTIONS: 'true' };
  const hostile = '\'services: { proxy: { env: { A: "##[error]owned", B: "b\\n::error::owned", C: c d } } }\'';
  await sh(app.root, `echo ${hostile} >headgate.local.yaml`);

  const config = await sh(app.root, '$headgate config show --json', env);
  const shell = await sh(app.root, 'eval "$($headgate env proxy)"; echo "$A,$B,$C"', env);
  const json = await sh(app.root, '$headgate env proxy --json', env);

  expect(JSON.parse(config.out)).toMatchObject({ spec: { app: 'ratings' } });
  expect(config.out).not.toContain('##[');
  expect(shell).toEqual({ code: 0, out: ',,c d\n' });
  expect(JSON.parse(json.out)).toMatchObject({ A: '##[error]owned', B: 'b\n::error::owned', C: 'c d' });
  expect(json.out).not.toContain('##[');
});

test('a terminal that is closed ends a command as SIGTERM does', async () => {
  await using app = await anApp('#!/bin/sh\necho begun >"$HOME/begun"\nsleep 20\n');
  const running = app.start(['run', 'check']);
  while (!existsSync(join(app.home, 'begun'))) await sleep(20);

  running.child.kill('SIGHUP');

  expect((await running.ended).code).toBe(129);
  expect(running.text()).toContain('interrupted: SIGHUP');
});
