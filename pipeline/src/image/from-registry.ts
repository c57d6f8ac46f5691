/** A base image that lies in a registry, pinned by digest. Its layers are taken as they are: publishing mounts them where the registry can. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digest, HeadgateError } from '@headgate/rollout';
import { getBlob, getDocument, parsePinned } from '../registry/client.ts';
import { type Address, parseRepository } from '../registry/http.ts';
import type { BuilderOptions } from './image.ts';
import type { Layer } from './layer.ts';
import { type Descriptor, digestOf, mediaTypes, type Platform, platform } from './layout.ts';

/** What Docker calls the same things. */
export const indexTypes = [mediaTypes.index, 'application/vnd.docker.distribution.manifest.list.v2+json'];
export const manifestTypes = [mediaTypes.manifest, 'application/vnd.docker.distribution.manifest.v2+json'];
const layerTypes = [mediaTypes.layer, 'application/vnd.docker.image.rootfs.diff.tar.gzip'];

export type Document = {
  readonly mediaType?: string;
  readonly manifests?: readonly (Descriptor & { readonly platform?: { architecture: string; os: string } })[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
};

/** The platforms that clusters have. Of an index with both, an image is made for each. */
const platforms = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
];

export type RegistryBase = { readonly cacheFolder: string; readonly reference: string };

/**
 * Of an index the image for this machine's platform is the base; where it is one of all platforms, `others` has the rest of them.
 * Layers are kept in `cacheFolder` by their digest.
 * @throws {HeadgateError} `IMAGE_CORRUPT`, `REGISTRY_REFUSED`, `REGISTRY_UNREACHABLE`
 */
export function fromRegistry({ cacheFolder, reference }: RegistryBase): Required<BuilderOptions> {
  const { repository, digest: of } = parsePinned(reference);
  const address = parseRepository(repository);
  const place = { address, cacheFolder };
  let asked: Promise<Document> | undefined;
  const first = (signal: AbortSignal) => {
    asked ??= document(address, of, signal); // Once for all platforms.
    return asked;
  };
  return {
    async base(signal) {
      const named = await first(signal);
      if (named.manifests === undefined) return layersOf(place, { digest: of, image: named }, signal);
      const { architecture, os } = platform();
      const chosen = imageFor(named, platform());
      if (chosen === undefined) throw unusable(address, of, `it must have an image for ${os}/${architecture}`);
      return layersOfImage(place, chosen, signal);
    },
    async others(signal) {
      const named = await first(signal);
      const images = platforms.map((one) => ({ platform: one, digest: imageFor(named, one) }));
      const others = images.filter((one) => one.platform.architecture !== platform().architecture);
      if (images.some((one) => one.digest === undefined) || others.length === images.length) return [];
      return Promise.all(
        others.map(async (one) => ({
          platform: one.platform,
          layers: await layersOfImage(place, one.digest ?? of, signal),
        })),
      );
    },
  };
}

function imageFor({ manifests }: Document, { architecture, os }: Platform): Digest | undefined {
  const found = manifests?.find((one) => one.platform?.os === os && one.platform.architecture === architecture);
  return found && digest(found.digest);
}

type BasePlace = { readonly address: Address; readonly cacheFolder: string };

async function layersOfImage(place: BasePlace, of: Digest, signal: AbortSignal): Promise<readonly Layer[]> {
  return layersOf(place, { digest: of, image: await document(place.address, of, signal) }, signal);
}

async function layersOf(
  { address, cacheFolder }: BasePlace,
  { digest: of, image: { config, layers } }: { readonly digest: Digest; readonly image: Document },
  signal: AbortSignal,
): Promise<readonly Layer[]> {
  if (config === undefined || layers === undefined) throw unusable(address, of, 'it must be an image');
  const { rootfs } = JSON.parse((await blobOf(address, config.digest, signal)).toString('utf8')) as Config;
  if (rootfs.diff_ids.length !== layers.length) throw unusable(address, of, 'its config must name each layer');
  const folder = join(cacheFolder, 'layers');
  await mkdir(folder, { recursive: true });
  const kept: Layer[] = [];
  for (const [index, { digest: blob, size, mediaType }] of layers.entries()) {
    if (!layerTypes.includes(mediaType)) throw unusable(address, blob, `a layer must be ${layerTypes.join(' or ')}`);
    const file = join(folder, blob.slice('sha256:'.length));
    if ((await stat(file).catch(() => undefined))?.size !== size) {
      const part = `${file}.${randomUUID()}.part`; // Steps of one run fetch it at the same moment.
      await writeFile(part, await blobOf(address, blob, signal));
      await rename(part, file);
    }
    kept.push({ digest: digest(blob), diffId: digest(rootfs.diff_ids[index] ?? ''), sizeBytes: size, file });
  }
  return kept;
}

type Config = { readonly rootfs: { readonly diff_ids: readonly string[] } };

async function document(address: Address, of: Digest, signal: AbortSignal): Promise<Document> {
  const bytes = await getDocument(address, of, [...indexTypes, ...manifestTypes].join(', '), signal);
  return JSON.parse(proved(address, of, bytes).toString('utf8')) as Document; // Its digest was the proof.
}

async function blobOf(address: Address, of: Digest, signal: AbortSignal): Promise<Buffer> {
  return proved(address, of, await getBlob(address, of, signal));
}

function proved(address: Address, of: Digest, bytes: Buffer | undefined): Buffer {
  if (bytes === undefined) throw unusable(address, of, 'the registry must have it');
  if (digestOf(bytes) !== of)
    throw unusable(address, of, `its bytes must have this digest: current value is "${digestOf(bytes)}"`);
  return bytes;
}

function unusable({ repository }: Address, of: string, why: string): HeadgateError {
  return new HeadgateError('IMAGE_CORRUPT', `Cannot use ${of} of the base image "${repository}" as ${why}`, {
    hint: 'name another image under `image.base` of headgate.yaml, or push this one again',
  });
}
