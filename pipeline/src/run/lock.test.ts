import { setTimeout as sleep } from 'node:timers/promises';
import { openFileJournal } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { aBench } from '../pipeline.rig.ts';
import { step } from '../step.ts';

/** Two hosts and the lock that they share; each acts until it is let go, or told to stop. */
async function twoHosts() {
  const [first, second] = [await aBench(), await aBench()];
  const { lock } = openFileJournal(`${first.root}/journal`);
  const seen: string[] = [];
  let letGo = () => {};
  const going = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const migrate = (host: string) =>
    step('migrate', {
      kind: 'effect',
      lock,
      observe: () => {
        seen.push(`${host} looks`);
        return { kind: 'absent', diff: 'migrate' };
      },
      run: async ({ signal }) => {
        seen.push(`${host} acts`);
        await Promise.race([going, sleep(60_000, undefined, { signal, ref: false })]);
        if (host === 'broken') throw new Error('broken');
      },
    });
  return {
    ...{ first, second, lock, seen, migrate, letGo },
    async untilSeen(what: string) {
      while (!seen.includes(what)) await sleep(5);
    },
    async [Symbol.asyncDispose]() {
      letGo();
      for (const bench of [second, first]) await bench[Symbol.asyncDispose]();
    },
  };
}

describe('the lock of an effect', () => {
  test('lets one host act; the other exits 75, names it, and has not even looked', async () => {
    await using hosts = await twoHosts();
    const { first, second, migrate, seen } = hosts;
    const acting = first.run([migrate('a')]);
    await hosts.untilSeen('a acts');

    const refused = await second.run([migrate('b')]);
    hosts.letGo();
    const acted = await acting;

    expect([acted.exitCode, refused.exitCode, seen]).toEqual([0, 75, ['a looks', 'a acts']]);
    expect(refused.steps['migrate']).toMatchObject({
      failure: { class: 'LOCK_HELD', message: 'Cannot run migrate as kim@desk holds its lock' },
    });
    expect((await second.run([migrate('b')])).exitCode).toBe(0);
  });

  test('is free after a failure', async () => {
    await using hosts = await twoHosts();
    hosts.letGo();

    const { exitCode } = await hosts.first.run([hosts.migrate('broken')]);

    expect([exitCode, await hosts.lock.holding(AbortSignal.timeout(5_000))]).toEqual([1, undefined]);
  });

  test('stops who it is taken from, as another may act now', async () => {
    await using hosts = await twoHosts();
    const acting = hosts.first.run([hosts.migrate('a')]);
    await hosts.untilSeen('a acts');

    const holding = await hosts.lock.holding(AbortSignal.timeout(5_000));
    await holding?.end(AbortSignal.timeout(5_000));
    const { exitCode, steps } = await acting;

    expect([exitCode, steps['migrate']]).toEqual([75, expect.objectContaining({ kind: 'failed' })]);
    expect(steps['migrate']).toMatchObject({ failure: { message: expect.stringContaining('was taken from it') } });
  }, 60_000);
});
