import { readdir } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { claimAfter, readClaim, release, stillStands } from './claims.ts';
import { temporaryFolder } from './folder.rig.ts';

describe('claims', () => {
  test('claimAfter() lets one of many through that found the same claim dead', async () => {
    await using folder = await temporaryFolder();
    const dead = (await claimAfter(await readClaim(folder.path), folder.path, 'dead'))!;

    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => claimAfter(dead, folder.path, `breaker ${i}`)));

    const winners = all.filter((claim) => claim !== undefined);
    expect(winners).toHaveLength(1);
    expect(await readClaim(folder.path)).toEqual(winners[0]);
  });

  test('claimAfter() refuses who saw a claim so old that its successor is gone', async () => {
    await using folder = await temporaryFolder();
    const old = await readClaim(folder.path);
    for (let i = 0; i < 3; i++) {
      await release((await claimAfter(await readClaim(folder.path), folder.path, `holder ${i}`))!, folder.path);
    }
    const present = (await claimAfter(await readClaim(folder.path), folder.path, 'present'))!;

    expect(await claimAfter(old, folder.path, 'late')).toBeUndefined();

    expect(await readClaim(folder.path)).toEqual(present);
    expect(await readdir(folder.path)).toEqual([String(present.number)]);
  });

  test('release() by a holder that was taken over changes nothing', async () => {
    await using folder = await temporaryFolder();
    const stalled = (await claimAfter(await readClaim(folder.path), folder.path, 'stalled'))!;
    const next = (await claimAfter(stalled, folder.path, 'next'))!;

    await release(stalled, folder.path);

    expect(await stillStands(next, folder.path)).toBe(true);
    expect(await stillStands(stalled, folder.path)).toBe(false);
  });
});
