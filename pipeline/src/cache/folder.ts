/** The store on this disk: entries per step, contents once each under their hash. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileName } from '../plan/graph.ts';
import { hasCode } from '../run/failure.ts';
import { hashFile, sha256 } from '../run/workspace.ts';
import type { Entry, StepCache, StoredFile } from './cache.ts';

/** Results kept per step. One for each branch that people go back and forth between, and some. */
const entriesMax = 20;
/** Contents this young may belong to an entry that another run is about to write. */
const orphanMinAgeMs = 3_600_000;

/** Several runs may share it: whole files appear by a rename, and what one deletes is a miss for the other. */
export function openFolderCache(folder: string): StepCache {
  const entries = (step: string) => join(folder, 'steps', fileName(step));
  const blob = (sha256: string) => join(folder, 'content', sha256);

  return {
    where: 'folder',

    async find(step, key, signal) {
      signal.throwIfAborted();
      const path = join(entries(step), `${key}.json`);
      const entry = await readEntry(path);
      if (entry !== undefined && entry.key !== key) throw damaged(path);
      return entry;
    },

    async latest(step, signal) {
      signal.throwIfAborted();
      const [newest] = await byAge(entries(step));
      return newest === undefined ? undefined : readEntry(newest).catch(() => undefined); // Only told against.
    },

    async restore({ key, parts, files, log }, to, signal) {
      for (const file of files) {
        signal.throwIfAborted();
        const there = await to.workspace.fingerprint(file.path);
        if (there?.sha256 === file.sha256 && there.executable === file.executable) continue;
        if (!(await bringBack(blob(file.sha256), to.workspace.path(file.path), file))) return false;
      }
      // Used is young again: the oldest, which goes first, is then the one that nobody asks for.
      await utimes(join(entries(parts.step), `${key}.json`), new Date(), new Date()).catch(() => undefined);
      return bringBack(blob(log), to.log, { sha256: log, executable: false });
    },

    async keep(entry, from, signal) {
      for (const { path, sha256 } of entry.files) {
        signal.throwIfAborted();
        await store(from.workspace.path(path), blob(sha256));
      }
      const log = await storeAsItIs(from.log, blob);
      await writeWhole(join(entries(entry.parts.step), `${entry.key}.json`), textOf({ ...entry, log }));
      await prune(folder, entries(entry.parts.step));
    },
  };
}

/** `undefined` for one that is not there. @throws for one that is damaged: a miss as well, but one that people are told of */
async function readEntry(path: string): Promise<Entry | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const read = parse(text);
  if (!isEntry(read)) throw damaged(path);
  const { sum: _, ...entry } = read;
  if (text !== textOf(entry)) throw damaged(path);
  return entry;
}

/** With a sum, as a flipped bit in a value would go on as another value. */
function textOf(entry: Entry): string {
  return JSON.stringify({ ...entry, sum: sha256(JSON.stringify(entry)) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Named by the caller.
  }
}

function damaged(path: string): Error {
  return new Error(`${path} is damaged, and made anew`);
}

/** Only as deep as a format of our own needs: written whole, under the hash of its inputs, by this same code. */
function isEntry(value: unknown): value is Entry & { readonly sum: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['key', 'parts', 'files', 'log', 'original'].every((name) => Object.hasOwn(value, name))
  );
}

/** False for a content that is gone. @throws for one that is damaged, which is removed: no writer would replace one that is there */
async function bringBack(
  blob: string,
  path: string,
  { sha256, executable }: Omit<StoredFile, 'path'>,
): Promise<boolean> {
  const temporary = temporaryFor(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    await copyFile(blob, temporary, constants.COPYFILE_FICLONE);
    const whole = (await hashFile(temporary)) === sha256;
    if (whole) {
      await chmod(temporary, executable ? 0o755 : 0o644);
      await rename(temporary, path);
      return true;
    }
    await rm(blob, { force: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  throw damaged(blob);
}

async function store(path: string, blob: string): Promise<void> {
  if ((await stat(blob).catch(() => undefined)) !== undefined) return;
  const temporary = temporaryFor(blob);
  await mkdir(dirname(blob), { recursive: true });
  await copyFile(path, temporary, constants.COPYFILE_FICLONE);
  await rename(temporary, blob);
}

/** A log may still grow: what is named by a hash is what was hashed. @returns the hash */
async function storeAsItIs(path: string, blob: (sha256: string) => string): Promise<string> {
  const temporary = temporaryFor(blob('log'));
  await mkdir(dirname(temporary), { recursive: true });
  await copyFile(path, temporary, constants.COPYFILE_FICLONE);
  const sha256 = await hashFile(temporary);
  await rename(temporary, blob(sha256));
  return sha256;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = temporaryFor(path);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, text);
  await rename(temporary, path);
}

/** Newest first; absolute paths. */
async function byAge(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json'));
  const aged = await Promise.all(
    names.map(async (name) => ({
      path: join(folder, name),
      at: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
  return aged.sort((a, b) => b.at - a.at).map(({ path }) => path);
}

async function prune(folder: string, entries: string): Promise<void> {
  const old = (await byAge(entries)).slice(entriesMax);
  if (old.length === 0) return;
  for (const path of old) await rm(path, { force: true });
  await removeOrphans(folder);
}

async function removeOrphans(folder: string): Promise<void> {
  const steps = await readdir(join(folder, 'steps'));
  const paths = (await Promise.all(steps.map((step) => byAge(join(folder, 'steps', step))))).flat();
  const kept = (await Promise.all(paths.map((path) => readEntry(path).catch(() => undefined)))).flatMap((entry) =>
    entry === undefined ? [] : [entry.log, ...entry.files.map(({ sha256 }) => sha256)],
  );
  const used = new Set(kept);
  for (const name of await readdir(join(folder, 'content'))) {
    const path = join(folder, 'content', name);
    const seen = used.has(name) ? undefined : await stat(path).catch(() => undefined);
    if (seen !== undefined && Date.now() - seen.mtimeMs > orphanMinAgeMs) await rm(path, { force: true });
  }
}

/** Steps of one run store equal contents at the same moment: every writer has a name of its own. */
function temporaryFor(path: string): string {
  return `${path}.${randomUUID()}.tmp`;
}
