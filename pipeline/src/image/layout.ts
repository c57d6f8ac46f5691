/** The OCI image layout (opencontainers/image-spec, image-layout.md): an image as a folder of blobs named by their sha256. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Digest, digest, HeadgateError } from '@headgate/rollout';
import { hasCode } from '../run/failure.ts';
import type { BuiltImage } from './image.ts';
import type { Layer } from './layer.ts';

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** Points at a blob. */
export type Descriptor = { readonly mediaType: string; readonly digest: Digest; readonly size: number };

/** What runs in the image. */
export type Program = {
  readonly entrypoint: readonly string[];
  readonly workingDir: string;
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

export type Manifest = {
  readonly schemaVersion: 2;
  readonly mediaType: typeof mediaTypes.manifest;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
};

/** As OCI calls them. */
export type Platform = { readonly architecture: string; readonly os: string };

export type PlatformLayers = { readonly platform: Platform; readonly layers: readonly Layer[] };

/** `node` in the base image's passwd file. */
export const user = '1000';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Replaces `folder` by a layout of one image, at once and only when all of it is written. With `others` it is one image for each platform,
 * and the index that names them all: whichever of these machines writes it, it is the same.
 */
export async function writeLayout(
  folder: string,
  layers: readonly Layer[],
  program: Program,
  others: readonly PlatformLayers[] = [],
): Promise<BuiltImage> {
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  const blobs = join(part, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const own = { platform: platform(), layers };
  const images = [own, ...others].sort((a, b) => (a.platform.architecture < b.platform.architecture ? -1 : 1));
  const manifests: Descriptor[] = [];
  for (const image of images) manifests.push(await putImage(blobs, image, program));
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
  const top = others.length === 0 ? index : { ...index, manifests: [await putBlob(blobs, mediaTypes.index, index)] };
  await writeFile(join(part, 'index.json'), JSON.stringify(top));
  await writeFile(join(part, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return adoptLayout(part, folder);
}

async function putImage(blobs: string, { layers, platform: of }: PlatformLayers, program: Program) {
  for (const layer of layers) await copyFile(layer.file, join(blobs, hex(layer.digest)));
  const config = await putBlob(blobs, mediaTypes.config, imageConfig(layers, program, of));
  const contents: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: layers.map((layer) => ({ mediaType: mediaTypes.layer, digest: layer.digest, size: layer.sizeBytes })),
  };
  return { ...(await putBlob(blobs, mediaTypes.manifest, contents)), platform: of };
}

/** Puts a whole layout in the place of another one, at once. */
export async function adoptLayout(part: string, folder: string): Promise<BuiltImage> {
  const { manifest, contents, images } = await readLayout(part);
  await rm(folder, { recursive: true, force: true });
  await rename(part, folder);
  const parts = [
    manifest,
    ...images.flatMap((image) => [image.manifest, image.contents.config, ...image.contents.layers]),
  ];
  const sizes = new Map(parts.map(({ digest: of, size }) => [of, size])); // What they share is stored once.
  return {
    digest: manifest.digest,
    layout: folder,
    sizeBytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    layers: contents.layers.map(({ digest: of, size }) => ({ digest: of, sizeBytes: size })),
  };
}

function imageConfig(layers: readonly Layer[], program: Program, of: Platform): unknown {
  const labels = Object.entries(program.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    created: '1970-01-01T00:00:00Z', // A real time would make every build another image.
    ...of,
    config: {
      User: user,
      Env: program.env,
      Entrypoint: program.entrypoint,
      WorkingDir: program.workingDir,
      Labels: Object.fromEntries(labels),
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
  };
}

/** Of this machine: images are made for it. */
export function platform(): Platform {
  return { architecture: architectures[process.arch] ?? process.arch, os: 'linux' };
}

async function putBlob(blobs: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await writeFile(join(blobs, hex(descriptor.digest)), bytes);
  return descriptor;
}

type Image = { readonly manifest: Descriptor; readonly contents: Manifest; readonly bytes: Buffer };

/** What a layout holds. */
export type Layout = {
  /** Of the image, or of the index of its platforms: what it is known by. */
  readonly manifest: Descriptor;
  readonly bytes: Buffer;
  /** Of the image for this machine. */
  readonly contents: Manifest;
  /** One, or one for each platform. */
  readonly images: readonly Image[];
};

/** The one image of a layout, whose indexes say nothing but the truth about it. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function readLayout(folder: string): Promise<Layout> {
  const file = join(folder, 'index.json');
  const index = parseIndex(await readFile(file, 'utf8'));
  const [manifest, ...others] = index?.manifests ?? [];
  if (manifest === undefined || others.length > 0) {
    throw damaged(
      file,
      `it must be an index of one image: current value is "${index?.manifests.length ?? 'no index'}"`,
    );
  }
  if (manifest.mediaType !== mediaTypes.index) {
    const image = await readImage(folder, manifest, file);
    return { ...image, images: [image] };
  }
  const bytes = await readBlob(folder, manifest);
  if (bytes.length !== manifest.size)
    throw damaged(file, `its index has ${bytes.length} bytes: current value is "${manifest.size}"`);
  const named = parseIndex(bytes.toString('utf8'))?.manifests ?? [];
  const images = await Promise.all(named.map((one) => readImage(folder, one, file)));
  const own = named.findIndex((one) => isDeepStrictEqual(one.platform, platform()));
  const contents = images[own]?.contents;
  if (contents === undefined) throw damaged(file, `it must have an image for ${platform().architecture}`);
  return { manifest, bytes, contents, images };
}

async function readImage(folder: string, manifest: Named, file: string): Promise<Image> {
  const bytes = await readBlob(folder, manifest);
  const contents = JSON.parse(bytes.toString('utf8')) as Manifest; // The digest above is the proof: we wrote it.
  const { architecture, os } = JSON.parse((await readBlob(folder, contents.config)).toString('utf8')) as Platform;
  const { mediaType, size, platform: named } = manifest;
  const said = { mediaType, size, ...(named && { architecture: named.architecture, os: named.os }) };
  const is = { mediaType: mediaTypes.manifest, size: bytes.length, ...(named && { architecture, os }) };
  if (!isDeepStrictEqual(said, is)) {
    throw damaged(file, `it must say of its image ${JSON.stringify(is)}: current value is ${JSON.stringify(said)}`);
  }
  return { manifest, contents, bytes };
}

/** What was tested, and nothing that came in its place. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function requireImage(folder: string, of: Digest): Promise<void> {
  const { manifest } = await readLayout(folder);
  if (manifest.digest === of) return;
  throw damaged(folder, `it must be the image "${of}": current value is "${manifest.digest}"`);
}

type Named = Descriptor & { readonly platform?: Platform };
type Index = { readonly manifests: readonly Named[] };

function parseIndex(text: string): Index | undefined {
  try {
    const { schemaVersion, mediaType, manifests } = JSON.parse(text) as Record<string, unknown>;
    const isIndex = schemaVersion === 2 && (mediaType === undefined || mediaType === mediaTypes.index);
    if (!isIndex || !Array.isArray(manifests)) return undefined;
    return { manifests: manifests.map((one: Descriptor) => ({ ...one, digest: digest(one.digest) })) };
  } catch {
    return undefined; // The caller says which file it is.
  }
}

function damaged(path: string, why: string): HeadgateError {
  return new HeadgateError('IMAGE_CORRUPT', `Cannot use "${path}" as ${why}`, { hint: 'build the image again' });
}

/** A blob's bytes, proved by their digest. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function readBlob(folder: string, { digest }: Pick<Descriptor, 'digest'>): Promise<Buffer> {
  const path = join(folder, 'blobs', 'sha256', hex(digest));
  const bytes = await readFile(path).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) throw damaged(path, 'it must be there');
    throw error;
  });
  const actual = digestOf(bytes);
  if (actual !== digest) throw damaged(path, `its digest must be "${digest}": current value is "${actual}"`);
  return bytes;
}

export function digestOf(bytes: Uint8Array): Digest {
  return digest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function hex(of: Digest): string {
  return of.slice('sha256:'.length);
}
