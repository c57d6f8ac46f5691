/** What `docker save` writes, unpacked: `manifest.json` names the image's config and its layers. */
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Digest, HeadgateError } from '@headgate/rollout';
import { gzipLayer, type Layer } from './layer.ts';
import { digestOf, type Program } from './layout.ts';

type Saved = [{ readonly Config: string; readonly Layers: readonly string[] }];

/** Docker's config has more: the times and ids of its steps, which differ from build to build. */
type Config = {
  readonly config: {
    readonly Entrypoint: readonly string[];
    readonly WorkingDir: string;
    readonly Env: readonly string[];
    readonly Labels?: Readonly<Record<string, string>> | null;
  };
  readonly rootfs: { readonly diff_ids: readonly Digest[] };
};

/** BuildKit keeps a layer for a WORKDIR that was there; without it there is none. A tar of nothing is 1,024 zeros. */
const nothing = digestOf(Buffer.alloc(1_024));

const gzipMark = Buffer.from([0x1f, 0x8b]);

/** A fast gzip: nearly all of an image is its base. */
const level = 1;

/** The one image of `folder`; its layers are written there too. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function readSaved(
  folder: string,
  signal: AbortSignal,
): Promise<{ layers: readonly Layer[]; program: Program }> {
  const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(folder, name), 'utf8'));
  const [image] = (await read('manifest.json')) as Saved;
  const { config, rootfs } = (await read(image.Config)) as Config;
  const layers: Layer[] = [];
  for (const [index, name] of image.Layers.entries()) {
    const file = join(folder, `layer-${index}.tar.gz`);
    const layer = await gzipLayer(await tarIn(join(folder, name)), { file, level, signal });
    expectDiffId(name, layer.diffId, rootfs.diff_ids[index]);
    if (layer.diffId !== nothing) layers.push(layer);
  }
  const { Entrypoint: entrypoint, WorkingDir: workingDir, Env: env, Labels: labels } = config;
  return { layers, program: { entrypoint, workingDir, env, labels: labels ?? {} } };
}

/** A daemon with containerd's store saves layers as it keeps them, gzipped; any other saves the tars. */
async function tarIn(file: string): Promise<Readable> {
  await using opened = await open(file);
  const { buffer } = await opened.read(Buffer.alloc(2), 0, 2, 0);
  const saved = createReadStream(file);
  // A failure of either reaches who reads the last.
  return buffer.equals(gzipMark) ? pipeline(saved, createGunzip(), () => {}) : saved;
}

function expectDiffId(name: string, actual: Digest, expected: Digest | undefined): void {
  if (actual === expected) return;
  throw new HeadgateError(
    'IMAGE_CORRUPT',
    `Cannot use layer "${name}" that docker saved as its digest must be "${expected}": current value is "${actual}"`,
    { hint: 'build the image again' },
  );
}
