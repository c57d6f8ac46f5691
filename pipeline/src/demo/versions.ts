import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A change to the sources, as a developer would make it. */
export type Edit = { readonly file: string; readonly find: string; readonly replace: string };

/**
 * Copies the services to `folder` and edits the copy, so that a version is a real one: built, tested and published like
 * any other. `folder` must lie below the repository, so that the packages of the repository are found.
 * @throws {RangeError} if an edit's place is not there exactly once: a version must not be the same as the one before
 */
export async function makeVersion(repository: string, folder: string, edits: readonly Edit[]): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(join(repository, 'services'), join(folder, 'services'), {
    recursive: true,
    filter: (path) => !/\/(node_modules|dist|bench)$|\.(test|rig)\.ts$/.test(path),
  });
  for (const one of edits) await edit(folder, one);
}

/** @throws {RangeError} if the place is not there exactly once */
export async function edit(folder: string, { file, find, replace }: Edit): Promise<void> {
  const path = join(folder, file);
  const text = await readFile(path, 'utf8');
  if (text.split(find).length !== 2) throw new RangeError(`Cannot edit ${file} as "${find}" must stand there once`);
  await writeFile(
    path,
    text.replace(find, () => replace),
  );
}
