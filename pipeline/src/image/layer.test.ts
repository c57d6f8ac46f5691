import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { extract, type Header } from 'tar-stream';
import { type LayerEntry, writeLayer } from './layer.ts';

const signal = AbortSignal.timeout(10_000);
const entries: LayerEntry[] = [
  { kind: 'file', path: 'usr/bin/run', executable: true, content: Buffer.from('run') },
  { kind: 'folder', path: 'tmp', scratch: true },
  { kind: 'file', path: 'app/main.mjs', executable: false, content: Buffer.from('main') },
];

describe('writeLayer()', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-layer-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('writes parents first, sorted, owned by root, without times, with modes from the executable bit', async () => {
    const layer = await writeLayer(entries, { file: join(folder, 'a.tar.gz'), level: 6, signal });

    const headers = await headersOf(layer.file);
    expect(headers.map(({ name, mode }) => `${mode?.toString(8)} ${name}`)).toEqual([
      '755 app/',
      '644 app/main.mjs',
      '1777 tmp/',
      '755 usr/',
      '755 usr/bin/',
      '755 usr/bin/run',
    ]);
    for (const header of headers)
      expect(header).toMatchObject({ uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) });
  });

  test('gives equal bytes for equal entries in another order, and another digest for another mode', async () => {
    const first = await writeLayer(entries, { file: join(folder, 'a.tar.gz'), level: 6, signal });
    const again = await writeLayer(entries.toReversed(), { file: join(folder, 'b.tar.gz'), level: 6, signal });
    const moded = await writeLayer(
      entries.map((entry) => (entry.kind === 'file' ? { ...entry, executable: true } : entry)),
      { file: join(folder, 'c.tar.gz'), level: 6, signal },
    );

    expect({ ...again, file: first.file }).toEqual(first);
    expect(moded.diffId).not.toBe(first.diffId);
  });

  test('leaves no file when it is aborted', async () => {
    const file = join(folder, 'a.tar.gz');

    await expect(writeLayer(entries, { file, level: 6, signal: AbortSignal.abort() })).rejects.toThrow();

    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

async function headersOf(file: string): Promise<Header[]> {
  const headers: Header[] = [];
  const archive = extract();
  archive.end(gunzipSync(await readFile(file)));
  for await (const entry of archive) {
    headers.push(entry.header);
    entry.resume();
  }
  return headers;
}
