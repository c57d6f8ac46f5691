import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { RunEvent } from '../event.ts';
import { isUnfinished, RunJournal } from './journal.ts';

let folder: string;
const path = () => join(folder, 'run', 'journal.jsonl');
const started: RunEvent = {
  at: 1,
  kind: 'run.start',
  run: 'r',
  pipeline: 'p',
  commit: undefined,
  dirty: false,
  actor: 'kim',
  resumed: false,
  steps: [],
};
const ended: RunEvent = { at: 2, kind: 'run.end', outcome: 'done', ms: 1 };
const warned = (message: string): RunEvent => ({ at: 1, kind: 'warning', message });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-journal-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function write(...events: readonly RunEvent[]): RunJournal {
  using journal = new RunJournal(join(folder, 'run'));
  for (const event of events) journal.append(event);
  return journal;
}

describe('RunJournal', () => {
  test('finds what an earlier one wrote, in order', () => {
    write(started, warned('a'));

    expect(write(ended).before).toMatchObject([{ kind: 'run.start' }, { kind: 'warning', message: 'a' }]);
    expect(write().before.at(-1)).toMatchObject({ kind: 'run.end' });
  });

  test('an event is on the disk when append() returns', async () => {
    using journal = new RunJournal(join(folder, 'run'));

    journal.append(started);

    expect(JSON.parse(await readFile(path(), 'utf8'))).toMatchObject({ kind: 'run.start' });
  });

  test('passes over a line torn at any byte, and goes on behind it', async () => {
    write(started, warned('whole'));
    const length = (await readFile(path(), 'utf8')).length;
    const line = JSON.stringify(warned('torn 😀'));
    for (let cut = 1; cut < Buffer.byteLength(line); cut += 7) {
      await truncate(path(), length);
      await appendFile(path(), Buffer.from(line).subarray(0, cut));

      expect(write(started).before.map(({ kind }) => kind)).toEqual(['run.start', 'warning']);
      expect(write().before.map(({ kind }) => kind)).toEqual(['run.start', 'warning', 'run.start']);
    }
  });

  test('refuses damage that no torn write explains, and names the line', async () => {
    write(started, warned('a'), warned('b'));
    const lines = (await readFile(path(), 'utf8')).split('\n');
    await writeFile(path(), [lines[0], '{"kind":', lines[2], ''].join('\n'));

    expect(() => write()).toThrow(
      expect.objectContaining({ code: 'JOURNAL_UNREADABLE', message: expect.stringContaining('current line is 2') }),
    );
  });

  test('says so when it cannot be written', async () => {
    await writeFile(join(folder, 'run'), 'a file in the way');

    expect(() => write()).toThrow(expect.objectContaining({ code: 'JOURNAL_UNWRITABLE' }));
  });
});

describe('isUnfinished()', () => {
  test.each([
    { kinds: [], is: false },
    { kinds: ['run.start'], is: true },
    { kinds: ['run.start', 'step.done', 'run.interrupted'], is: true },
    { kinds: ['run.start', 'run.end'], is: false },
    { kinds: ['run.start', 'run.end', 'run.start', 'intent'], is: true },
  ])('is $is after $kinds', ({ kinds, is }) => {
    expect(isUnfinished(kinds.map((kind) => ({ kind })))).toBe(is);
  });
});
