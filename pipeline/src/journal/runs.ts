import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunEvent } from '../event.ts';
import { journalName, readEntries } from './journal.ts';

/** Older runs are not looked into. */
const runsMax = 100;

/**
 * What happened in the runs below a folder, the newest first.
 * @throws {HeadgateError} `JOURNAL_UNREADABLE`
 */
export async function* readRuns(folder: string): AsyncGenerator<readonly RunEvent[]> {
  const names = await readdir(folder).catch(() => []); // There is none yet.
  const aged = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name, journalName);
      return { path, at: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 };
    }),
  );
  for (const { path } of aged.sort((a, b) => b.at - a.at).slice(0, runsMax)) {
    const text = await readFile(path, 'utf8').catch(() => ''); // It is just being begun, or removed.
    yield readEntries(text, path) as readonly RunEvent[]; // Ours; who reads passes over kinds that he does not know.
  }
}
