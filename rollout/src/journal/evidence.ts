import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unreadable } from './damage.ts';
import { syncFolder, unlessMissing } from './files.ts';
import type { Json } from './journal.ts';
import { limits, refuseOver } from './limits.ts';

/**
 * One line per call, a JSON array: a torn last line was never acknowledged, and takes its whole chunk with it.
 * The caller sees to it that nobody else appends.
 */
export async function appendChunk(folder: string, release: number, entries: readonly Json[]): Promise<void> {
  const line = Buffer.from(`${JSON.stringify(entries)}\n`);
  refuseOver(limits.chunkBytes, line.length, 'a chunk of evidence in bytes', 'append less at once');
  const path = evidencePath(folder, release);
  await using file = await open(path, 'a+');
  const { size } = await file.stat();
  const whole = size === 0 ? 0 : await wholeLines(file, path, size);
  refuseOver(limits.evidenceBytes, whole + line.length, `evidence to "${path}" in bytes`, 'end this release');
  if (whole < size) await file.truncate(whole);
  await file.writeFile(line);
  await file.sync();
  if (whole === 0) await forgetOldReleases(folder);
}

/** All entries in order; readers need no lock. @throws {HeadgateError} `JOURNAL_UNREADABLE` */
export async function readChunks(folder: string, release: number): Promise<readonly Json[]> {
  const path = evidencePath(folder, release);
  const text = await unlessMissing(readFile(path, 'utf8'));
  if (text === undefined) return [];
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.slice(0, -1).flatMap((line, i) => parseChunk(line, `${path}:${i + 1}`));
}

function parseChunk(line: string, place: string): readonly Json[] {
  try {
    const chunk: unknown = JSON.parse(line);
    if (Array.isArray(chunk)) return chunk as readonly Json[]; // Parsed JSON is `Json` by construction.
  } catch (cause) {
    throw unreadable(place, line, 'remove this line: the evidence in it is lost', cause);
  }
  throw unreadable(place, line, 'remove this line: the evidence in it is lost');
}

/** Bytes up to the last line's end. Less than `size` after a crash in the middle of a write. */
async function wholeLines(file: FileHandle, path: string, size: number): Promise<number> {
  const { buffer: last } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return last.toString() === '\n' ? size : (await readFile(path)).lastIndexOf('\n') + 1;
}

async function forgetOldReleases(folder: string): Promise<void> {
  const names = await readdir(folder);
  const releases = names.flatMap((name) => /^evidence-([0-9]+)\.jsonl$/.exec(name)?.slice(1).map(Number) ?? []);
  for (const old of releases.sort((a, b) => b - a).slice(limits.releasesKept)) {
    await rm(evidencePath(folder, old), { force: true });
  }
  await syncFolder(folder);
}

function evidencePath(folder: string, release: number): string {
  return join(folder, `evidence-${release}.jsonl`);
}
