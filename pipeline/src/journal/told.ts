/** What other machines have told of a run, beside this machine's own journal of it and never in it. */
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withDeadline } from '@headgate/rollout';
import type { RunEvent } from '../event.ts';
import { fileName } from '../plan/graph.ts';
import type { JournalCopy } from './copy.ts';
import { journalName, readEntries } from './journal.ts';

/** In the folder of a run. */
export const toldName = 'elsewhere.jsonl';

const findMaxMs = 5_000;

export function isOnRecord(folder: string): Promise<boolean> {
  return Promise.any([journalName, toldName].map((name) => access(join(folder, name)))).then(
    () => true,
    () => false,
  );
}

/** Lays down in the folder of a run what other machines told of it. That nobody can be asked, or nothing is told, changes nothing. */
export async function fetchTold(
  { folder, run }: { readonly folder: string; readonly run: string },
  copy: JournalCopy,
  signal: AbortSignal,
): Promise<void> {
  try {
    const told = await copy.find(run, withDeadline(signal, findMaxMs));
    if (told === undefined) return;
    for (const [step, log] of told.logs) await writeWhole(toldLog(folder, step), log);
    await writeWhole(join(folder, toldName), told.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  } catch (error) {
    copy.warn(`what other machines did in run ${run} is not known here: ${String(error)}`);
  }
}

export async function readTold(folder: string): Promise<readonly RunEvent[]> {
  const path = join(folder, toldName);
  try {
    return readEntries(await readFile(path, 'utf8'), path) as readonly RunEvent[]; // As they wrote it; who reads passes over kinds that he does not know.
  } catch {
    return []; // Nobody has told anything. Of a file that is damaged the same holds: it is a hint.
  }
}

/** The end of a step's log, as it was told. */
export function toldLog(folder: string, step: string): string {
  return join(folder, 'logs', `${fileName(step)}.log`);
}

async function writeWhole(path: string, content: string | Buffer): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(part, content);
  await rename(part, path);
}
