import { appendFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openFileJournal } from './file.ts';
import { temporaryFolder } from './folder.rig.ts';
import { describeRecords } from './journal.contract.ts';
import { ownMark } from './process-mark.ts';

const signal = (): AbortSignal => AbortSignal.timeout(10_000);
let root: Awaited<ReturnType<typeof temporaryFolder>>;
let folders = 0;

beforeAll(async () => {
  root = await temporaryFolder();
});
afterAll(async () => {
  await root[Symbol.asyncDispose]();
});

const aFolder = (): string => join(root.path, String(++folders));

describeRecords('file', async () => {
  const folder = aFolder();
  return { records: openFileJournal(folder), reopen: () => openFileJournal(folder) };
});

describe('a damaged journal', () => {
  test.each([
    { what: 'half a head', name: 'head.json', text: '{"version":"1","he' },
    { what: 'a head without a version', name: 'head.json', text: '{"head":{}}' },
    { what: 'an empty head', name: 'head.json', text: '' },
    { what: 'wishes that are none', name: 'wishes.json', text: '[{"id":1}]' },
  ])('$what is JOURNAL_UNREADABLE, with the file and what to do', async ({ name, text }) => {
    const folder = aFolder();
    await mkdir(folder);
    await writeFile(join(folder, name), text);
    const { journal, wishes } = openFileJournal(folder);

    const read = name === 'head.json' ? journal.read(signal()) : wishes.read(signal());

    await expect(read).rejects.toMatchObject({
      code: 'JOURNAL_UNREADABLE',
      message: expect.stringContaining(join(folder, name)),
      hint: expect.stringContaining(`move it away`),
    });
  });

  test('write() never replaces a head that it cannot read', async () => {
    const folder = aFolder();
    await mkdir(folder);
    await writeFile(join(folder, 'head.json'), 'torn');

    const write = openFileJournal(folder).journal.write('new', undefined, signal());

    await expect(write).rejects.toMatchObject({ code: 'JOURNAL_UNREADABLE' });
    expect(await readFile(join(folder, 'head.json'), 'utf8')).toBe('torn');
  });

  test('a torn last line of evidence is passed over, and cut off by the next append', async () => {
    const folder = aFolder();
    const { journal } = openFileJournal(folder);
    await journal.appendEvidence(1, ['a', 'b'], signal());
    await appendFile(join(folder, 'evidence-1.jsonl'), '["c","d');

    expect(await journal.readEvidence(1, signal())).toEqual(['a', 'b']);
    await journal.appendEvidence(1, ['e'], signal());

    expect(await journal.readEvidence(1, signal())).toEqual(['a', 'b', 'e']);
  });

  test('a broken line between whole ones is named by its number', async () => {
    const folder = aFolder();
    const { journal } = openFileJournal(folder);
    await journal.appendEvidence(1, ['a'], signal());
    await appendFile(join(folder, 'evidence-1.jsonl'), '["b"\n');
    await journal.appendEvidence(1, ['c'], signal());

    await expect(journal.readEvidence(1, signal())).rejects.toMatchObject({
      code: 'JOURNAL_UNREADABLE',
      message: expect.stringContaining('evidence-1.jsonl:2'),
    });
  });

  test('a folder that cannot be made is JOURNAL_UNWRITABLE', async () => {
    const file = aFolder();
    await writeFile(file, '');

    const write = openFileJournal(join(file, 'below')).journal.write('x', undefined, signal());

    await expect(write).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE', hint: expect.any(String) });
  });
});

describe('the file journal', () => {
  test('leaves no trace of a reader', async () => {
    const folder = aFolder();
    const { journal, wishes, lock } = openFileJournal(folder);

    await Promise.all([
      journal.read(signal()),
      journal.readEvidence(1, signal()),
      wishes.read(signal()),
      lock.holding(signal()),
    ]);

    expect(await readdir(root.path)).not.toContain(String(folders));
  });

  test('takes over the short lock of a process that is gone', async () => {
    const folder = aFolder();
    await mkdir(join(folder, 'changing'), { recursive: true });
    // This test's own process id, but of another boot: an id alone proves nothing.
    await symlink(`held by 00000000-0000-0000-0000-000000000000/${process.pid}/1`, join(folder, 'changing', '4'));

    const { kind } = await openFileJournal(folder).journal.write('x', undefined, signal());

    expect(kind).toBe('written');
    expect(await readdir(join(folder, 'changing'))).toEqual(['6']);
  });

  test('waits for a living holder of the short lock, as long as the signal allows', async () => {
    const folder = aFolder();
    const { journal } = openFileJournal(folder);
    await journal.write('first', undefined, signal());
    await symlink(`held by ${await ownMark()}`, join(folder, 'changing', '3'));

    const append = journal.appendEvidence(1, ['x'], AbortSignal.timeout(100));

    await expect(append).rejects.toMatchObject({ name: 'AbortError' });
    expect(await journal.read(signal())).toMatchObject({ head: 'first' });
  });
});
