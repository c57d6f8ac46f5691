/** Reports of a program that knows nothing of our secrets. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../run/failure.ts';
import type { Redact } from '../run/redact.ts';

/** Writes the files of `from` to `to`, without secrets. The program writes some only when it has something to tell: then there is no folder. */
export async function handOver(
  { from, to }: { readonly from: string; readonly to: string },
  redact: Redact,
): Promise<void> {
  for (const name of await namesIn(from)) {
    const text = redact(await readFile(join(from, name), 'utf8'));
    await mkdir(to, { recursive: true });
    await writeFile(join(to, name), text);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
}
