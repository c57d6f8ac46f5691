import { describe, expect, test } from '@jest/globals';
import { describeAppLock } from './app-lock.contract.ts';
import type { Records, Wish } from './journal.ts';
import { limits } from './limits.ts';
import { type Opened, signal } from './opened.rig.ts';

const aWish = (n = 0): Omit<Wish, 'id'> => ({ act: { kind: 'rollback', n }, actor: 'eva@desk', at: 1_000 + n });

export function describeRecords(name: string, open: () => Promise<Opened>): void {
  describeJournal(name, open);
  describeWishBox(name, open);
  describeAppLock(name, open);
}

function describeJournal(name: string, open: () => Promise<Opened>): void {
  describe(`${name} as a Journal`, () => {
    test('read() is undefined before the first write', async () => {
      const { records } = await open();

      expect(await records.journal.read(signal())).toBeUndefined();
    });

    test('read() gives the head whole, to every reader', async () => {
      const { records, reopen } = await open();
      const head = { text: 'ä\n"\u2028', numbers: [0, -1.5, 1e21], nothing: null, deep: { yes: true, list: [[], {}] } };

      const written = await records.journal.write(head, undefined, signal());

      expect(written).toEqual({ kind: 'written', version: expect.any(String) });
      expect(await reopen().journal.read(signal())).toEqual({
        head,
        ...(written as { version: string }),
        kind: undefined,
      });
    });

    test.each([
      { expected: 'undefined', give: () => undefined },
      { expected: 'an old version', give: (old: string) => old },
      { expected: 'a version of nowhere', give: () => 'nowhere' },
    ])('write() over $expected is a conflict and changes nothing', async ({ give }) => {
      const { records, reopen } = await open();
      const old = await records.journal.write('first', undefined, signal());
      await reopen().journal.write('second', versionOf(old), signal());

      expect(await records.journal.write('third', give(versionOf(old)), signal())).toEqual({ kind: 'conflict' });

      expect(await records.journal.read(signal())).toMatchObject({ head: 'second' });
    });

    test('write() of an earlier head does not bring its version back', async () => {
      const { records } = await open();
      const first = versionOf(await records.journal.write('a', undefined, signal()));
      const second = versionOf(await records.journal.write('b', first, signal()));
      await records.journal.write('a', second, signal());

      expect(await records.journal.write('c', first, signal())).toEqual({ kind: 'conflict' });
    });

    test('write() lets one of many through that expect the same version', async () => {
      const { records, reopen } = await open();
      const version = versionOf(await records.journal.write(-1, undefined, signal()));

      const all = await Promise.all(
        Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? records : reopen()).journal.write(i, version, signal())),
      );

      const winners = all.flatMap(({ kind }, i) => (kind === 'written' ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(await records.journal.read(signal())).toMatchObject({ head: winners[0] });
    });

    test('write() refuses a head over the limit and keeps the old one', async () => {
      const { records } = await open();
      const version = versionOf(await records.journal.write('small', undefined, signal()));

      const write = records.journal.write('x'.repeat(limits.headBytes + 1), version, signal());

      await expect(write).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE', hint: expect.any(String) });
      expect(await records.journal.read(signal())).toMatchObject({ head: 'small', version });
    });

    test('an aborted signal begins nothing', async () => {
      const { records } = await open();
      const aborted = AbortSignal.abort();

      await expect(records.journal.write('x', undefined, aborted)).rejects.toMatchObject({ name: 'AbortError' });
      await expect(records.journal.read(aborted)).rejects.toMatchObject({ name: 'AbortError' });
      await expect(records.journal.appendEvidence(1, ['x'], aborted)).rejects.toMatchObject({ name: 'AbortError' });

      expect(await records.journal.read(signal())).toBeUndefined();
      expect(await records.journal.readEvidence(1, signal())).toEqual([]);
    });

    test('readEvidence() gives the entries of one release in the order they were appended', async () => {
      const { records, reopen } = await open();

      await records.journal.appendEvidence(7, [{ n: 1 }, { n: 2 }], signal());
      await records.journal.appendEvidence(8, [{ other: true }], signal());
      await reopen().journal.appendEvidence(7, [], signal());
      await reopen().journal.appendEvidence(7, [{ n: 3 }], signal());

      expect(await records.journal.readEvidence(7, signal())).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      expect(await records.journal.readEvidence(9, signal())).toEqual([]);
    });

    test('readEvidence() knows the last ten releases, by number', async () => {
      const { records } = await open();

      for (let release = 1; release <= 12; release++)
        await records.journal.appendEvidence(release, [release], signal());

      const kept = await Promise.all(
        Array.from({ length: 12 }, (_, i) => records.journal.readEvidence(i + 1, signal())),
      );
      expect(kept).toEqual([[], [], [3], [4], [5], [6], [7], [8], [9], [10], [11], [12]]);
    });

    test('appendEvidence() refuses a chunk over the limit and keeps the rest', async () => {
      const { records } = await open();
      await records.journal.appendEvidence(1, ['kept'], signal());

      const append = records.journal.appendEvidence(1, ['x'.repeat(limits.chunkBytes)], signal());

      await expect(append).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE' });
      expect(await records.journal.readEvidence(1, signal())).toEqual(['kept']);
    });
  });
}

function describeWishBox(name: string, open: () => Promise<Opened>): void {
  describe(`${name} as a WishBox`, () => {
    test('read() gives wishes whole, oldest first', async () => {
      const { records, reopen } = await open();

      const first = await records.wishes.add(aWish(1), signal());
      const second = await reopen().wishes.add(aWish(2), signal());

      expect(await records.wishes.read(signal())).toEqual([
        { id: first, ...aWish(1) },
        { id: second, ...aWish(2) },
      ]);
    });

    test('add() loses none of many at once and gives each an id of its own', async () => {
      const { records, reopen } = await open();

      const ids = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? records : reopen()).wishes.add(aWish(i), signal())),
      );

      expect(new Set(ids).size).toBe(10);
      expect((await records.wishes.read(signal())).map(({ id }) => id).sort()).toEqual([...ids].sort());
    });

    test('remove() takes the named ones only, and may be repeated', async () => {
      const { records } = await open();
      const first = await records.wishes.add(aWish(1), signal());
      const second = await records.wishes.add(aWish(2), signal());

      await records.wishes.remove([first, 'unknown'], signal());
      await records.wishes.remove([first], signal());

      expect((await records.wishes.read(signal())).map(({ id }) => id)).toEqual([second]);
    });

    test('add() refuses more than the box holds', async () => {
      const { records } = await open();
      for (let n = 0; n < limits.wishes; n++) await records.wishes.add(aWish(n), signal());

      await expect(records.wishes.add(aWish(), signal())).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE' });

      expect(await records.wishes.read(signal())).toHaveLength(limits.wishes);
    });
  });
}

function versionOf(written: Awaited<ReturnType<Records['journal']['write']>>): string {
  if (written.kind !== 'written') throw new Error('this write should have passed');
  return written.version;
}
