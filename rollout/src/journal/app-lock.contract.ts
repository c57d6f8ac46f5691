import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { Acquired, Lease } from './journal.ts';
import { type Opened, signal } from './opened.rig.ts';

/** What every lock must do, wherever it lies. */
export function describeAppLock(name: string, open: () => Promise<Opened>): void {
  describe(`${name} as an AppLock`, () => {
    test('acquire() is busy and names the holder until it releases', async () => {
      const { records, reopen } = await open();
      const other = reopen();
      const first = await records.lock.acquire('eva@desk', signal());

      expect(await other.lock.acquire('ci', signal())).toEqual({ kind: 'busy', holder: 'eva@desk' });
      expect((await other.lock.holding(signal()))?.holder).toBe('eva@desk');
      await leaseOf(first)[Symbol.asyncDispose]();

      expect(await other.lock.holding(signal())).toBeUndefined();
      await using lease = leaseOf(await other.lock.acquire('ci', signal()));
      expect(lease.lost.aborted).toBe(false);
      expect((await records.lock.holding(signal()))?.holder).toBe('ci');
    });

    test('acquire() gives the lock to one of many', async () => {
      const { records, reopen } = await open();

      const all = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? records : reopen()).lock.acquire(`n${i}`, signal())),
      );

      expect(all.filter(({ kind }) => kind === 'held')).toHaveLength(1);
      await leaseOf(all.find(({ kind }) => kind === 'held')!)[Symbol.asyncDispose]();
    });

    test('a lease released twice does not free the next holder', async () => {
      const { records, reopen } = await open();
      const first = leaseOf(await records.lock.acquire('first', signal()));
      await first[Symbol.asyncDispose]();
      await using second = leaseOf(await reopen().lock.acquire('second', signal()));

      await first[Symbol.asyncDispose]();

      expect((await records.lock.holding(signal()))?.holder).toBe('second');
      expect(first.lost.aborted).toBe(false);
      expect(second.lost.aborted).toBe(false);
    });

    test('holding() says since when, and end() takes the lock from that holder alone', async () => {
      const { records, reopen } = await open();
      const other = reopen();
      const before = Date.now();
      await using first = leaseOf(await records.lock.acquire('eva@desk', signal()));
      const seen = await other.lock.holding(signal());

      expect(await seen?.end(signal())).toBe(true);
      await using second = leaseOf(await other.lock.acquire('ci', signal()));
      expect(await seen?.end(signal())).toBe(false);

      expect(Math.abs((seen?.since ?? 0) - before)).toBeLessThan(5_000);
      expect((await records.lock.holding(signal()))?.holder).toBe('ci');
      expect(second.lost.aborted).toBe(false);
      if (!first.lost.aborted) await once(first.lost, 'abort', { signal: signal() }); // At its next renewal.
    });

    test('acquire() with an aborted signal takes nothing', async () => {
      const { records } = await open();

      await expect(records.lock.acquire('late', AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });

      expect(await records.lock.holding(signal())).toBeUndefined();
    });
  });
}

function leaseOf(acquired: Acquired): Lease {
  if (acquired.kind !== 'held') throw new Error(`the lock is held by ${acquired.holder}`);
  return acquired.lease;
}
