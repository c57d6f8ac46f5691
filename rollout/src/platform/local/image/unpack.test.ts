import { mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Header, pack } from 'tar-stream';
import { unpackLayer } from './unpack.ts';

type Entry = Partial<Header> & { name: string; text?: string };

let folder: string;
let root: string;
const signal = AbortSignal.timeout(10_000);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-unpack-'));
  root = await mkdtemp(join(folder, 'root-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function unpack(entries: readonly Entry[]): Promise<void> {
  const archive = pack();
  for (const { text = '', ...header } of entries) archive.entry(header, text);
  archive.finalize();
  await writeFile(join(folder, 'layer.tgz'), gzipSync(await buffer(archive)));
  await unpackLayer(join(folder, 'layer.tgz'), root, { gzip: true }, signal);
}

test('unpackLayer() makes files, folders and both kinds of links, without setuid', async () => {
  await unpack([
    { name: './app/', type: 'directory', mode: 0o755 },
    { name: 'app/run', mode: 0o4755, text: 'hello' },
    { name: 'app/again', type: 'link', linkname: 'app/run' },
    { name: 'run', type: 'symlink', linkname: '/app/run' },
  ]);

  expect(await readFile(join(root, 'app/again'), 'utf8')).toBe('hello');
  expect(await readlink(join(root, 'run'))).toBe('/app/run');
  expect((await stat(join(root, 'app/run'))).mode & 0o7777).toBe(0o755);
});

test('unpackLayer() replaces a name of the layer below and leaves what shared it alone', async () => {
  await unpack([{ name: 'a', text: 'below' }]);
  await unpack([{ name: 'kept', type: 'link', linkname: 'a' }]);
  await unpack([{ name: 'a', text: 'above' }]);

  expect(await readFile(join(root, 'a'), 'utf8')).toBe('above');
  expect(await readFile(join(root, 'kept'), 'utf8')).toBe('below');
});

test('unpackLayer() takes away what a layer deletes', async () => {
  await unpack([{ name: 'old/file' }, { name: 'gone' }]);
  await unpack([{ name: 'old/.wh..wh..opq' }, { name: '.wh.gone' }, { name: 'old/new' }]);

  await expect(stat(join(root, 'old/file'))).rejects.toThrow('ENOENT');
  await expect(stat(join(root, 'gone'))).rejects.toThrow('ENOENT');
  expect((await stat(join(root, 'old/new'))).isFile()).toBe(true);
});

test.each([
  { why: 'climbs out', entries: [{ name: 'a/../../outside', text: 'x' }] },
  { why: 'is absolute', entries: [{ name: '/tmp/outside', text: 'x' }] },
  { why: 'links to a file outside', entries: [{ name: 'a', type: 'link' as const, linkname: '../outside' }] },
  { why: 'deletes outside', entries: [{ name: 'a/.wh...', text: '' }] },
])('unpackLayer() refuses an entry that $why', async ({ entries }) => {
  await expect(unpack(entries)).rejects.toThrow('leaves the image');
});

test('unpackLayer() writes nothing through a symbolic link', async () => {
  await symlink(folder, join(root, 'way-out'));

  await expect(unpack([{ name: 'way-out/outside', text: 'x' }])).rejects.toThrow('no folder');
  await expect(stat(join(folder, 'outside'))).rejects.toThrow('ENOENT');
});

test('unpackLayer() refuses half an archive', async () => {
  await writeFile(join(folder, 'half.tgz'), gzipSync(Buffer.alloc(5000, 1)).subarray(0, 20));

  await expect(unpackLayer(join(folder, 'half.tgz'), root, { gzip: true }, signal)).rejects.toThrow();
});
