/**
 * The records of one app as files of one folder, for one machine:
 *
 *   head.json             replaced whole
 *   evidence-<n>.jsonl    one line per chunk; the last ten releases
 *   wishes.json           replaced whole
 *   changing/<n>          the short lock around every change of these
 *   driving/<n>           the app's lock
 *
 * Reading needs no lock.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileAppLock, type LeaseTimes } from './app-lock.ts';
import { whileNobodyElse } from './changing.ts';
import { reading, unreadable, writing } from './damage.ts';
import { appendChunk, readChunks } from './evidence.ts';
import { replaceDurably, unlessMissing } from './files.ts';
import type { Journal, Json, Records, Stored, Wish, WishBox } from './journal.ts';
import { limits, refuseOver } from './limits.ts';

/** Nothing is made before the first write, so that a reader leaves no trace. */
export function openFileJournal(path: string, times?: LeaseTimes): Records {
  const folder = resolve(path);
  return {
    journal: fileJournal(folder),
    wishes: fileWishBox(folder),
    lock: fileAppLock(join(folder, 'driving'), times),
  };
}

function fileJournal(folder: string): Journal {
  const headPath = join(folder, 'head.json');
  return {
    read: (signal) => reading(`"${headPath}"`, signal, () => readHead(headPath)),
    write: (head, expected, signal) =>
      changeFileJournal(folder, signal, async () => {
        const stored = await readHead(headPath);
        if (stored?.version !== expected) return { kind: 'conflict' };
        const version = randomUUID(); // No counter: a head that returns to an earlier state is still another one.
        const text = `${JSON.stringify({ version, head })}\n`;
        refuseOver(
          limits.headBytes,
          Buffer.byteLength(text),
          'the head of the journal in bytes',
          'make the template of the services smaller',
        );
        await replaceDurably(headPath, text);
        return { kind: 'written', version };
      }),
    appendEvidence: (release, entries, signal) =>
      changeFileJournal(folder, signal, async () => {
        if (entries.length > 0) await appendChunk(folder, release, entries);
      }),
    readEvidence: (release, signal) => reading(`evidence in "${folder}"`, signal, () => readChunks(folder, release)),
  };
}

function fileWishBox(folder: string): WishBox {
  const path = join(folder, 'wishes.json');
  return {
    add: (wish, signal) =>
      changeFileJournal(folder, signal, async () => {
        const wishes = await readWishes(path);
        refuseOver(
          limits.wishes,
          wishes.length + 1,
          `a wish to "${path}"`,
          'see with `headgate status` who drives, and why nothing is taken up',
        );
        const id = randomUUID();
        await replaceDurably(path, `${JSON.stringify([...wishes, { ...wish, id }])}\n`);
        return id;
      }),
    read: (signal) => reading(`"${path}"`, signal, () => readWishes(path)),
    remove: (ids, signal) =>
      changeFileJournal(folder, signal, async () => {
        const wishes = await readWishes(path);
        const left = wishes.filter(({ id }) => !ids.includes(id));
        if (left.length < wishes.length) await replaceDurably(path, `${JSON.stringify(left)}\n`);
      }),
  };
}

/** Runs `change` while nobody else changes the journal that lies in `folder`. @throws {HeadgateError} `JOURNAL_UNWRITABLE` */
export function changeFileJournal<T>(folder: string, signal: AbortSignal, change: () => Promise<T>): Promise<T> {
  return writing(`to "${folder}"`, signal, async () => {
    await mkdir(folder, { recursive: true });
    return whileNobodyElse(join(folder, 'changing'), change, signal);
  });
}

async function readHead(path: string): Promise<Stored | undefined> {
  const text = await unlessMissing(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  const value = parse(path, text);
  if (!isObject(value) || typeof value['version'] !== 'string' || value['head'] === undefined)
    throw damaged(path, text);
  return { version: value['version'], head: value['head'] };
}

async function readWishes(path: string): Promise<readonly Wish[]> {
  const text = await unlessMissing(readFile(path, 'utf8'));
  if (text === undefined) return [];
  const value = parse(path, text);
  if (!Array.isArray(value) || !value.every(isWish)) throw damaged(path, text);
  return value;
}

function isWish(value: Json): value is Wish {
  return (
    isObject(value) &&
    typeof value['id'] === 'string' &&
    value['act'] !== undefined &&
    typeof value['actor'] === 'string' &&
    typeof value['at'] === 'number'
  );
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(path: string, text: string): Json {
  try {
    return JSON.parse(text) as Json; // What JSON.parse gives is `Json` by construction.
  } catch (cause) {
    throw damaged(path, text, cause);
  }
}

function damaged(path: string, text: string, cause?: unknown): Error {
  return unreadable(path, text, `put back a copy of "${path}", or move it away: what it knew is then lost`, cause);
}
