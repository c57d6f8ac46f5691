/** Pulls an image by digest and unpacks it, for a lane process or an image test. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';
import { unlessMissing } from '../../../journal/files.ts';
import { corrupt, downloadDocument, downloadLayer } from './download.ts';
import { type ImageConfig, type LayerReference, parseConfig, parseManifest } from './manifest.ts';
import { type ImageReference, parseReference } from './reference.ts';
import { unpackLayer } from './unpack.ts';

const run = promisify(execFile);
const halfPrefix = 'part-';

/** `root` is the unpacked file system. It is shared: never write to it. */
export type PulledImage = { readonly root: string; readonly config: ImageConfig };

/**
 * Unpacks the image into `<folder>/roots/<hex>`, once: a root that is there is whole. Layers are kept by what they and the ones below
 * hold, and shared between roots by hard links, so a second image on the same base costs its own files only.
 * @param reference `host:port/name@sha256:…`
 * @throws {HeadgateError} `IMAGE_CORRUPT`, `REGISTRY_UNREACHABLE`, `USAGE`
 */
export async function pullImage(reference: string, folder: string, signal: AbortSignal): Promise<PulledImage> {
  const from = parseReference(reference);
  const root = join(folder, 'roots', from.digest.slice('sha256:'.length));
  const configFile = `${root}.json`;
  if (!(await isThere(root))) {
    await mkdir(join(folder, 'layers'), { recursive: true });
    await mkdir(join(folder, 'roots'), { recursive: true });
    const work = await mkdtemp(join(folder, halfPrefix));
    try {
      await pullInto(from, { folder, root, configFile, work }, signal);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  return { root, config: JSON.parse(await readFile(configFile, 'utf8')) as ImageConfig };
}

/** Removes what a killed pull left in the folder. Only when no pull is under way there. */
export async function clearHalfPulls(folder: string): Promise<void> {
  const names = (await unlessMissing(readdir(folder))) ?? [];
  const halves = names.filter((name) => name.startsWith(halfPrefix));
  await Promise.all(halves.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

type Places = { readonly folder: string; readonly root: string; readonly configFile: string; readonly work: string };

async function pullInto(from: ImageReference, places: Places, signal: AbortSignal): Promise<void> {
  const { folder, root, configFile, work } = places;
  const document = (path: 'manifests' | 'blobs', of: ImageReference) =>
    downloadDocument(of, { kind: path, file: join(work, 'document') }, signal);
  let manifest = parseManifest(from, await document('manifests', from));
  if (manifest.kind === 'index') {
    const chosen = { ...from, digest: manifest.chosen };
    manifest = parseManifest(chosen, await document('manifests', chosen));
  }
  if (manifest.kind !== 'image') throw corrupt(from, 'an index must not name another index');
  const config = parseConfig(from, await document('blobs', { ...from, digest: manifest.config }));
  const top = await layerChain(from, manifest.layers, { folder, work }, signal);
  const copy = join(work, 'root');
  await hardLinkCopy(top, copy);
  // Where the lane's own /proc, /dev and /tmp are mounted: a read-only root can make no folder for them.
  for (const name of ['proc', 'dev', 'tmp']) await mkdir(join(copy, name), { recursive: true });
  // Whole or not at all, as another pull of this image may be reading it; and the root goes last: it is the mark that all is there.
  const written = join(work, 'config');
  await writeFile(written, JSON.stringify(config));
  await rename(written, configFile);
  await settle(copy, root);
}

/** The folder that holds these layers one over the other. Named by all of them, because a layer's meaning depends on those below. */
async function layerChain(
  from: ImageReference,
  layers: readonly LayerReference[],
  { folder, work }: { folder: string; work: string },
  signal: AbortSignal,
): Promise<string> {
  const top = layers.at(-1);
  if (top === undefined) {
    await mkdir(join(work, 'empty'), { recursive: true });
    return join(work, 'empty');
  }
  const name = createHash('sha256')
    .update(layers.map(({ digest }) => digest).join('\n'))
    .digest('hex');
  const target = join(folder, 'layers', name);
  if (await isThere(target)) return target;
  const below = await layerChain(from, layers.slice(0, -1), { folder, work }, signal);
  const [file, copy] = [join(work, 'layer'), join(work, name)];
  const source = { ...from, digest: top.digest };
  await downloadLayer(source, file, signal);
  await hardLinkCopy(below, copy);
  await unpackLayer(file, copy, top, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw corrupt(source, `its layer cannot be unpacked (${cause instanceof Error ? cause.message : cause})`, cause);
  });
  await settle(copy, target);
  return target;
}

async function hardLinkCopy(source: string, target: string): Promise<void> {
  await run('cp', ['-al', source, target]).catch((cause: unknown) => {
    throw new HeadgateError('WORKLOAD_UNREACHABLE', `Cannot unpack an image into ${target} as cp refused it`, {
      hint: 'make room on the disk; the folder must be on a file system with hard links',
      cause,
    });
  });
}

/** Two pulls of one image may end together: the first is as good as the second. */
async function settle(source: string, target: string): Promise<void> {
  await rename(source, target).catch(async (cause: unknown) => {
    if (!(await isThere(target))) throw cause;
  });
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
