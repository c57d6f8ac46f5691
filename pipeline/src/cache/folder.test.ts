import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { KeyParts } from '../plan/key.ts';
import { Workspace } from '../run/workspace.ts';
import type { Entry, StepCache } from './cache.ts';
import { openFolderCache } from './folder.ts';

const { signal } = new AbortController();
let root: string;
let store: string;
let workspace: Workspace;
let cache: StepCache;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-cache-'));
  root = join(folder, 'root');
  store = join(folder, 'cache');
  await mkdir(join(root, 'out'), { recursive: true });
  workspace = await Workspace.open(root, join(folder, 'fingerprints.json'));
  cache = openFolderCache(store);
});

afterEach(() => rm(join(root, '..'), { recursive: true, force: true }));

const partsOf = (step: string): KeyParts => ({
  step,
  code: 'c',
  files: {},
  env: {},
  values: {},
  made: {},
  tools: {},
  needs: {},
  platform: 'p',
});

/** Keeps the files as the result of `step` under `key`. */
async function keep(key: string, files: Readonly<Record<string, string>>, step = 'build'): Promise<void> {
  for (const [path, text] of Object.entries(files)) await writeFile(join(root, path), text, { mode: 0o755 });
  await writeFile(join(root, 'log'), `log of ${key}\n`);
  const stored = await Promise.all(
    Object.keys(files).map(async (path) => ({ path, ...(await workspace.fingerprint(path))! })),
  );
  const entry = { key, parts: partsOf(step), values: { key }, files: stored, original: { run: 'r', at: 1, ms: 2 } };
  await cache.keep(entry, { workspace, log: join(root, 'log') }, signal);
}

const restore = (entry: Entry | undefined) =>
  cache.restore(entry!, { workspace, log: join(root, 'restored.log') }, signal);
const read = (path: string) => readFile(join(root, path), 'utf8');

describe('the folder cache', () => {
  test('gives back values, files with their mode, and the log', async () => {
    await keep('k1', { 'out/a': 'one' });
    await rm(join(root, 'out'), { recursive: true });

    const entry = await cache.find('build', 'k1', signal);

    expect(entry).toMatchObject({ values: { key: 'k1' }, original: { run: 'r' } });
    expect(await restore(entry)).toBe(true);
    expect([await read('out/a'), await read('restored.log')]).toEqual(['one', 'log of k1\n']);
    expect((await stat(join(root, 'out/a'))).mode & 0o777).toBe(0o755);
  });

  test('knows nothing of another key or another step', async () => {
    await keep('k1', {});

    expect(await cache.find('build', 'k2', signal)).toBeUndefined();
    expect(await cache.find('other', 'k1', signal)).toBeUndefined();
  });

  test('leaves a file alone that is as it was', async () => {
    await keep('k1', { 'out/a': 'one' });
    const before = await stat(join(root, 'out/a'));

    await restore(await cache.find('build', 'k1', signal));

    expect((await stat(join(root, 'out/a'))).ino).toBe(before.ino);
  });

  test('an entry torn at any byte is refused by name, and made anew', async () => {
    await keep('k1', { 'out/a': 'one' });
    const path = join(store, 'steps/build/k1.json');
    const whole = await readFile(path);
    for (const cut of [0, 1, 20, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, cut));

      await expect(cache.find('build', 'k1', signal)).rejects.toThrow('k1.json is damaged');
      expect(await cache.latest('build', signal)).toBeUndefined();
    }
    await keep('k1', { 'out/a': 'one' });

    expect(await restore(await cache.find('build', 'k1', signal))).toBe(true);
  });

  test('an entry that is something else is refused, and so is one under a key that is not its own', async () => {
    await keep('k1', {});
    const text = await readFile(join(store, 'steps/build/k1.json'), 'utf8');
    await writeFile(join(store, 'steps/build/k2.json'), text);
    await writeFile(join(store, 'steps/build/k3.json'), '{"key":"k3"}');

    await expect(cache.find('build', 'k2', signal)).rejects.toThrow('k2.json is damaged');
    await expect(cache.find('build', 'k3', signal)).rejects.toThrow('k3.json is damaged');
  });

  test.each(['garbled', 'gone'])('a content that is %s gives no wrong file, and is kept anew', async (how) => {
    await keep('k1', { 'out/a': 'one' });
    const entry = await cache.find('build', 'k1', signal);
    await rm(join(root, 'out/a'));
    const blob = join(store, 'content', entry!.files[0]!.sha256);
    if (how === 'gone') await rm(blob);
    else await writeFile(blob, 'won');

    if (how === 'gone') expect(await restore(entry)).toBe(false);
    else await expect(restore(entry)).rejects.toThrow('is damaged');
    expect(await readdir(join(root, 'out'))).toEqual([]);
    await keep('k1', { 'out/a': 'one' });
    await rm(join(root, 'out/a'));

    expect(await restore(await cache.find('build', 'k1', signal))).toBe(true);
    expect(await read('out/a')).toBe('one');
  });

  test('many writers of one entry at once leave one that is whole, and no scraps', async () => {
    await writeFile(join(root, 'out/a'), 'one');
    await Promise.all(Array.from({ length: 20 }, () => keep('k1', { 'out/a': 'one' })));

    expect(await restore(await cache.find('build', 'k1', signal))).toBe(true);
    expect(await readdir(join(store, 'steps/build'))).toEqual(['k1.json']);
    expect((await readdir(join(store, 'content'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('latest() is the newest of a step', async () => {
    await keep('k1', {});
    await keep('k2', {});
    await utimes(join(store, 'steps/build/k1.json'), 1, 1);

    expect((await cache.latest('build', signal))?.key).toBe('k2');
    expect(await cache.latest('other', signal)).toBeUndefined();
  });

  test('keeps twenty results of a step, those used last, and drops contents that nobody has', async () => {
    await keep('old', { 'out/a': 'old' });
    const blob = join(store, 'content', (await cache.find('build', 'old', signal))!.files[0]!.sha256);
    await utimes(blob, 1, 1);
    await keep('used', {});
    for (const key of ['old', 'used']) await utimes(join(store, `steps/build/${key}.json`), 1, 1);
    await restore(await cache.find('build', 'used', signal));
    for (let i = 0; i < 19; i++) await keep(`k${i}`, {});

    expect(await readdir(join(store, 'steps/build'))).toHaveLength(20);
    expect(await cache.find('build', 'old', signal)).toBeUndefined();
    expect(await cache.find('build', 'used', signal)).toBeDefined();
    await expect(stat(blob)).rejects.toThrow('ENOENT');
  });
});
