import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { aptInstall } from './apt.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-apt-'));
  await program('apt-get', `echo "$DEBIAN_FRONTEND $ASKED_BY $*" >>"${folder}/calls"`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, name), 0o755);
}

const install = (uid: number) => aptInstall(['haproxy'], { uid, env: { PATH: `${folder}:/usr/bin:/bin` } });
const calls = () => readFile(join(folder, 'calls'), 'utf8').catch(() => '');
const asked = (by: string) =>
  ['update', 'install -y --no-install-recommends haproxy']
    .map((act) => `noninteractive ${by} -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 ${act}\n`)
    .join('');

test('aptInstall() installs as root without sudo', async () => {
  await program('sudo', 'exit 1');

  await install(0);

  expect(await calls()).toBe(asked(''));
});

test('aptInstall() takes a sudo that asks for no password, as the machines of a CI have it', async () => {
  await program('sudo', '[ "$1" = -n ] || exit 9; shift; exec env -i PATH="$PATH" ASKED_BY=sudo "$@"');

  await install(1_000);

  expect(await calls()).toBe(asked('sudo'));
});

test('aptInstall() waits while somebody else fetches the lists, and no longer than once for what else goes wrong', async () => {
  const locked = 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt-get)';
  const first = `[ -e "${folder}/before" ]`;
  await program('apt-get', `${first} || { touch "${folder}/before"; echo "${locked}" >&2; exit 100; }`);
  await install(0);

  await program('apt-get', `echo update >>"${folder}/calls"; echo "E: Unable to fetch some archives" >&2; exit 100`);
  await expect(install(0)).rejects.toMatchObject({ code: 'SERVER_MISSING' });
  expect(await calls()).toBe('update\n');
});

test('aptInstall() names the one line where sudo wants a password', async () => {
  await program('sudo', 'echo "sudo: a password is required" >&2; exit 1');

  await expect(install(1_000)).rejects.toMatchObject({
    code: 'SERVER_MISSING',
    hint: 'run `apt-get update && apt-get install -y haproxy` as root',
  });
  expect(await calls()).toBe('');
});
