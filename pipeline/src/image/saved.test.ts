import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Layer, writeLayer } from './layer.ts';
import { digestOf } from './layout.ts';
import { readSaved } from './saved.ts';

const signal = AbortSignal.timeout(10_000);
const program = { entrypoint: ['/bin/hello'], workingDir: '/app', env: ['A=1'], labels: {} };

describe('readSaved()', () => {
  let folder: string;
  let layer: Layer;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headgate-saved-'));
    const entries = [{ kind: 'file', path: 'app/hello', executable: true, content: Buffer.from('hello') }] as const;
    layer = await writeLayer(entries, { file: join(folder, 'made.tar.gz'), level: 6, signal });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** As docker lays it out; `diffIds` is what the config says of the layers. */
  async function save(layers: readonly Buffer[], diffIds: readonly string[]): Promise<void> {
    const config = { Entrypoint: ['/bin/hello'], WorkingDir: '/app', Env: ['A=1'], Labels: null, Image: 'sha256:1' };
    const names = layers.map((_, index) => `${index}.tar`);
    for (const [index, bytes] of layers.entries()) await writeFile(join(folder, `${index}.tar`), bytes);
    await writeFile(join(folder, 'c.json'), JSON.stringify({ config, rootfs: { diff_ids: diffIds }, created: 'now' }));
    await writeFile(join(folder, 'manifest.json'), JSON.stringify([{ Config: 'c.json', Layers: names }]));
  }

  test('gives the same layers whether docker saved them gzipped or not, and none that is empty', async () => {
    const gzipped = await readFile(layer.file);
    const empty = Buffer.alloc(1_024);
    await save([gunzipSync(gzipped), empty], [layer.diffId, digestOf(empty)]);
    const plain = await readSaved(folder, signal);
    await save([gzipped], [layer.diffId]);
    const packed = await readSaved(folder, signal);

    expect(plain.layers).toEqual([expect.objectContaining({ diffId: layer.diffId })]);
    expect(packed).toEqual(plain);
    expect(packed.program).toEqual(program);
  });

  test('refuses a layer that is not the one which the config names', async () => {
    await save([await readFile(layer.file)], [layer.digest]);

    await expect(readSaved(folder, signal)).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  });

  test('refuses a layer that ends too early', async () => {
    await save([(await readFile(layer.file)).subarray(0, 60)], [layer.diffId]);

    await expect(readSaved(folder, signal)).rejects.toThrow('unexpected end of file');
  });
});
