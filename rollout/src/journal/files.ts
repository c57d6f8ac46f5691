import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a file whole: after a crash at any moment it holds the old text or the new one, and the new one once this resolves. */
export async function replaceDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`; // One writer at a time, so one name is enough, and a dead one's leftover is overwritten.
  await using file = await open(temporary, 'w');
  await file.writeFile(text);
  await file.sync();
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Makes new, renamed and removed names of a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}

/** `undefined` if the file does not exist. */
export async function unlessMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** True for a failure of the operating system with this name. Not by `instanceof`, which fails between realms. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
