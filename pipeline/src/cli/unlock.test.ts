import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileJournal } from '@headgate/rollout';
import { expect, test } from '@jest/globals';
import { aShell } from './shell.rig.ts';

const good = readFileSync(join(import.meta.dirname, '../../../headgate.yaml'), 'utf8');

/** A shell beside a driver that lives. */
async function besideDriver() {
  const shell = await aShell({ 'headgate.yaml': good });
  const { lock } = openFileJournal(join(shell.cwd, '.headgate/journal'));
  const acquired = await lock.acquire('jenkins/deliver/7', AbortSignal.timeout(5_000));
  if (acquired.kind !== 'held') throw new Error('the lock of a new app is free');
  return {
    run: shell.run,
    holder: async () => (await lock.holding(AbortSignal.timeout(5_000)))?.holder,
    async [Symbol.asyncDispose]() {
      await acquired.lease[Symbol.asyncDispose]();
      await shell[Symbol.asyncDispose]();
    },
  };
}

test('unlock without --yes says who holds the lock and since when, and does nothing', async () => {
  await using driven = await besideDriver();

  const { code, err } = await driven.run('unlock', '--insist');

  expect(code).toBe(75);
  expect(err).toMatch(/as jenkins\/deliver\/7 holds it since 20\d\d-\S+Z, for \d s\n {2}end that driver .* --yes\n$/);
  expect(await driven.holder()).toBe('jenkins/deliver/7');
});

test('unlock --yes leaves the lock to a driver that renews it', async () => {
  await using driven = await besideDriver();

  const { code, err } = await driven.run('unlock', '--yes');

  expect(code).toBe(75);
  expect(err).toContain('as jenkins/deliver/7 renews it, so that driver works\n  end that driver, or take');
  expect(await driven.holder()).toBe('jenkins/deliver/7');
});

test('unlock --yes --insist takes it all the same', async () => {
  await using driven = await besideDriver();

  const { code, out } = await driven.run('unlock', '--yes', '--insist', '--json');

  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ outcome: 'taken', holder: 'jenkins/deliver/7', since: expect.any(Number) });
  expect(await driven.holder()).toBeUndefined();
});

test('unlock of a free lock exits 0 and starts nothing', async () => {
  await using shell = await aShell({ 'headgate.yaml': good });

  const { code, out } = await shell.run('unlock', '--yes');

  expect({ code, out }).toEqual({ code: 0, out: 'the lock of ratings is free\n' });
});
