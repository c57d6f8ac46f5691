/** The OCI image layout (opencontainers/image-spec, image-layout.md): an image as a folder of blobs named by their sha256. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digest, HeadgateError } from '@headgate/rollout';
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

/** `node` in the base image's passwd file. */
export const user = '1000';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Replaces `folder` by a layout of one image, at once and only when all of it is written. */
export async function writeLayout(folder: string, layers: readonly Layer[], program: Program): Promise<BuiltImage> {
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  const blobs = join(part, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  for (const layer of layers) await copyFile(layer.file, join(blobs, hex(layer.digest)));
  const config = await putBlob(blobs, mediaTypes.config, imageConfig(layers, program));
  const contents: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: layers.map((layer) => ({ mediaType: mediaTypes.layer, digest: layer.digest, size: layer.sizeBytes })),
  };
  const manifest = await putBlob(blobs, mediaTypes.manifest, contents);
  await writeFile(
    join(part, 'index.json'),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [{ ...manifest, platform: platform() }],
    }),
  );
  await writeFile(join(part, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return adoptLayout(part, folder);
}

/** Puts a whole layout in the place of another one, at once. */
export async function adoptLayout(part: string, folder: string): Promise<BuiltImage> {
  const { manifest, contents } = await readLayout(part);
  await rm(folder, { recursive: true, force: true });
  await rename(part, folder);
  const { layers, config } = contents;
  return {
    digest: manifest.digest,
    layout: folder,
    sizeBytes: [...layers, config, manifest].reduce((sum, { size }) => sum + size, 0),
    layers: layers.map(({ digest, size }) => ({ digest, sizeBytes: size })),
  };
}

function imageConfig(layers: readonly Layer[], program: Program): unknown {
  const labels = Object.entries(program.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    created: '1970-01-01T00:00:00Z', // A real time would make every build another image.
    ...platform(),
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

function platform(): { architecture: string; os: string } {
  return { architecture: architectures[process.arch] ?? process.arch, os: 'linux' };
}

async function putBlob(blobs: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await writeFile(join(blobs, hex(descriptor.digest)), bytes);
  return descriptor;
}

/** The one image of a layout. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function readLayout(folder: string): Promise<{ manifest: Descriptor; contents: Manifest; bytes: Buffer }> {
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const [manifest, ...others] = index.manifests;
  if (manifest === undefined || others.length > 0) {
    throw new HeadgateError(
      'IMAGE_CORRUPT',
      `Cannot read layout "${folder}" as it must hold one image: current value is "${index.manifests.length}"`,
      { hint: 'build the image again' },
    );
  }
  const bytes = await readBlob(folder, manifest);
  return { manifest, contents: JSON.parse(bytes.toString('utf8')) as Manifest, bytes }; // The digest above is the proof: we wrote it.
}

/** A blob's bytes, proved by their digest. @throws {HeadgateError} `IMAGE_CORRUPT` */
export async function readBlob(folder: string, { digest }: Pick<Descriptor, 'digest'>): Promise<Buffer> {
  const bytes = await readFile(join(folder, 'blobs', 'sha256', hex(digest)));
  const actual = digestOf(bytes);
  if (actual !== digest) {
    throw new HeadgateError(
      'IMAGE_CORRUPT',
      `Cannot use a blob of "${folder}" as its digest must be "${digest}": current value is "${actual}"`,
      { hint: 'build the image again' },
    );
  }
  return bytes;
}

export function digestOf(bytes: Uint8Array): Digest {
  return digest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function hex(of: Digest): string {
  return of.slice('sha256:'.length);
}
