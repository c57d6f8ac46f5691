import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { HeadgateError } from '@headgate/rollout';
import type { RunEvent } from '../event.ts';

/** An event as it was written; what is not known any more is passed over by who reads. */
export type Entry = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** In the folder of a run. */
export const journalName = 'journal.jsonl';

/**
 * One run's events, a line each, on disk before anything goes on: what a kill at any moment leaves says how far the run came.
 * Written synchronously, for a run has some ten lines a minute and their order is all that matters.
 */
export class RunJournal implements Disposable {
  /** What was there before. */
  readonly before: readonly Entry[];
  readonly #file: number;

  /** @throws {HeadgateError} `JOURNAL_UNWRITABLE`, `JOURNAL_UNREADABLE` */
  constructor(folder: string) {
    const path = join(folder, journalName);
    try {
      mkdirSync(folder, { recursive: true });
      this.#file = openSync(path, 'a+');
    } catch (cause) {
      throw unwritable(path, cause);
    }
    const text = readFileSync(this.#file, 'utf8');
    this.before = readEntries(text, path);
    // Closes a line that a dying process left open. It stays what it is: nobody can say what it was to be.
    if (text !== '' && !text.endsWith('\n')) writeSync(this.#file, '\n');
  }

  /** Returns when the line is on disk. @throws {HeadgateError} `JOURNAL_UNWRITABLE` */
  append(event: RunEvent): void {
    try {
      writeSync(this.#file, `${JSON.stringify(event)}\n`);
      fsyncSync(this.#file);
    } catch (cause) {
      throw unwritable('the journal of the run', cause);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** True if the last start in the journal came to no end. */
export function isUnfinished(entries: readonly Entry[]): boolean {
  return entries.findLast(({ kind }) => kind === 'run.start' || kind === 'run.end')?.kind === 'run.start';
}

/** @throws {HeadgateError} `JOURNAL_UNREADABLE` for damage that no torn write explains */
export function readEntries(text: string, path: string): readonly Entry[] {
  const read = text
    .split('\n')
    .filter((line) => line !== '')
    .map(parse);
  return read.flatMap((entry, index) => {
    if (entry !== undefined) return [entry];
    // Torn by a kill: the last line, or the last before somebody went on.
    const next = read[index + 1];
    if (next === undefined ? index === read.length - 1 : next.kind === 'run.start') return [];
    throw new HeadgateError(
      'JOURNAL_UNREADABLE',
      `Cannot read ${path} as every line must be an event: current line is ${index + 1}`,
      {
        hint: `move ${path} away; effects look before they act, so that nothing is done twice`,
      },
    );
  });
}

function parse(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'kind' in value ? (value as Entry) : undefined; // Checked here.
  } catch {
    return undefined;
  }
}

function unwritable(path: string, cause: unknown): HeadgateError {
  return new HeadgateError('JOURNAL_UNWRITABLE', `Cannot go on as ${path} must be written before a step acts`, {
    hint: 'make room on the disk and check the rights of the folder',
    cause,
  });
}
