/** Copies of this repository's services with all that their images are made of, as clones elsewhere have them. */
import { chmod, cp, mkdir, readdir, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '../../..');

/** A clone with its own packages, as far as the service needs them. */
export async function copyOf(source: string, workspace: string): Promise<string> {
  await mkdir(join(workspace, source), { recursive: true });
  await cp(join(repository, source, 'src'), join(workspace, source, 'src'), { recursive: true });
  await cp(join(repository, source, 'package.json'), join(workspace, source, 'package.json'));
  for (const name of await packagesOf(join(repository, source)))
    await cp(join(repository, 'node_modules', name), join(workspace, 'node_modules', name), { recursive: true });
  return workspace;
}

/** Names of all packages that the one in this folder needs, however indirectly. */
async function packagesOf(place: string, known = new Set<string>()): Promise<ReadonlySet<string>> {
  type Manifest = Partial<Record<'dependencies' | 'optionalDependencies', Record<string, string>>>;
  const manifest = JSON.parse(await readFile(join(place, 'package.json'), 'utf8')) as Manifest;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  for (const name of names.filter((each) => !known.has(each))) {
    known.add(name);
    await packagesOf(join(repository, 'node_modules', name), known);
  }
  return known;
}

/** As a checkout of another day under another umask has them. */
export async function age(place: string): Promise<void> {
  for (const entry of await readdir(place, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    await utimes(path, 86_400, 86_400);
    await chmod(path, entry.isDirectory() ? 0o700 : 0o600);
  }
}
