import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '@headgate/rollout';
import type { RunEvent } from '../event.ts';
import type { Json } from '../plan/schema.ts';
import { sha256 } from '../run/workspace.ts';
import { journalName, readEntries } from './journal.ts';
import { readTold, toldName } from './told.ts';
import { joined } from './turns.ts';

/** Older runs are not looked into. */
const runsMax = 100;

export type Identity = {
  /** Of the pipeline. */
  readonly name: string;
  readonly config: Json;
  readonly commit: string | undefined;
  /** Something that no other run has, for one that goes on with none. */
  readonly fresh?: string | undefined;
};

/** Equal pipeline, parameters and commit are one run, whoever starts it, wherever and how often. */
export function runIdOf({ name, config, commit, fresh }: Identity): string {
  return sha256(canonicalJson({ name, config, commit, fresh })).slice(0, 12);
}

/**
 * What happened in the runs below a folder, the newest first.
 * @throws {HeadgateError} `JOURNAL_UNREADABLE`
 */
export async function* readRuns(folder: string): AsyncGenerator<readonly RunEvent[]> {
  const names = await readdir(folder).catch(() => []); // There is none yet.
  const aged = await Promise.all(names.map(async (name) => ({ name, at: await newestIn(join(folder, name)) })));
  for (const { name } of aged.sort((a, b) => b.at - a.at).slice(0, runsMax)) {
    const [own, told] = await Promise.all([readOwn(join(folder, name)), readTold(join(folder, name))]);
    yield joined(
      own,
      told.map((event) => (event.kind === 'run.start' ? { ...event, elsewhere: true } : event)),
    );
  }
}

/** What this machine has on record of the run in a folder. @throws {HeadgateError} `JOURNAL_UNREADABLE` */
export async function readOwn(folder: string): Promise<readonly RunEvent[]> {
  const path = join(folder, journalName);
  const text = await readFile(path, 'utf8').catch(() => ''); // It is just being begun, or removed; or only others tell of it.
  return readEntries(text, path) as readonly RunEvent[]; // Ours; who reads passes over kinds that he does not know.
}

async function newestIn(folder: string): Promise<number> {
  const files = [journalName, toldName].map((name) => stat(join(folder, name)).catch(() => undefined));
  return Math.max(...(await Promise.all(files)).map((file) => file?.mtimeMs ?? 0));
}
