import { expect, test } from '@jest/globals';
import { type LeaseTimes, leaseTimes } from '../journal/app-lock.ts';
import { openFileJournal } from '../journal/file.ts';
import { temporaryFolder } from '../journal/folder.rig.ts';
import { unlock } from './unlock.ts';

const signal = () => AbortSignal.timeout(10_000);
const quick = { ...leaseTimes, renewMs: 100, givenUpMs: 1_500 };
/** Of a driver that hangs, as a stopped process does. */
const never = { ...leaseTimes, renewMs: 1_000_000 };

/** A lock that somebody holds, seen by somebody else. */
async function heldBy(holder: string, times: LeaseTimes) {
  const folder = await temporaryFolder();
  const acquired = await openFileJournal(folder.path, times).lock.acquire(holder, signal());
  if (acquired.kind !== 'held') throw new Error('the lock of a new folder is free');
  const { lease } = acquired;
  const { lock } = openFileJournal(folder.path, quick);
  return {
    lock,
    lost: lease.lost,
    async [Symbol.asyncDispose]() {
      await lease[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('unlock() takes the lock from a driver that hangs', async () => {
  await using held = await heldBy('ci', never);

  const unlocked = await unlock(held.lock, false, signal());

  expect(unlocked).toMatchObject({ kind: 'taken', from: { holder: 'ci' } });
  expect(await held.lock.holding(signal())).toBeUndefined();
});

test('unlock() leaves the lock to a driver that renews', async () => {
  await using held = await heldBy('ci', quick);

  const unlocked = await unlock(held.lock, false, signal());

  expect(unlocked).toMatchObject({ kind: 'renewing', holding: { holder: 'ci' } });
  expect((await held.lock.holding(signal()))?.holder).toBe('ci');
});

test('unlock() takes it from him too when it is insisted on, and he stops', async () => {
  await using held = await heldBy('ci', quick);
  const stops = new Promise((resolve) => held.lost.addEventListener('abort', resolve));

  const unlocked = await unlock(held.lock, true, signal());

  expect(unlocked).toMatchObject({ kind: 'taken', from: { holder: 'ci' } });
  await stops;
});

test('unlock() of a free lock takes nothing', async () => {
  await using folder = await temporaryFolder();

  expect(await unlock(openFileJournal(folder.path).lock, true, signal())).toEqual({ kind: 'free' });
});
