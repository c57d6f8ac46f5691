import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openImageBuilder } from './image.ts';

const repository = join(import.meta.dirname, '../../..');
const signal = AbortSignal.timeout(60_000);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-same-sources-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A clone with its own packages, as far as the service needs them. */
async function copyOf(source: string, workspace: string): Promise<string> {
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
async function age(place: string): Promise<void> {
  for (const entry of await readdir(place, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    await utimes(path, 86_400, 86_400);
    await chmod(path, entry.isDirectory() ? 0o700 : 0o600);
  }
}

test.each(['services/proxy', 'services/rating'])(
  'the same sources of %s in two folders at two times under two umasks are one digest',
  async (source) => {
    const builder = await openImageBuilder('oci', { base: async () => [] });
    const build = (workspace: string) =>
      builder.build({ workspace, source, labels: {}, layout: join(workspace, 'layout') }, signal);
    const here = await copyOf(source, join(folder, source, 'here'));
    const there = await copyOf(source, join(folder, source, 'far/away/there'));
    await age(there);

    const first = await build(here);
    const umask = process.umask(0o077);
    const second = await build(there).finally(() => process.umask(umask));

    expect(second.digest).toBe(first.digest);
    expect(second.layers).toEqual(first.layers);
  },
  60_000,
);
