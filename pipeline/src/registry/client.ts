/** A registry (opencontainers/distribution-spec): blobs first, then the manifest, so that no half image is ever seen. */
import { type Digest, digest, HeadgateError, isHeadgateError } from '@headgate/rollout';
import { type Descriptor, digestOf, type Manifest, mediaTypes, readBlob, readLayout } from '../image/layout.ts';
import { type Address, ask, parseRepository } from './http.ts';

/** An image as the registry knows it. `repository` is `host:port/name`. */
export type Pinned = { readonly repository: string; readonly digest: Digest };

/** From `host:port/name@sha256:…`. @throws {HeadgateError} `REFUSED` for anything else, a tag above all */
export function parsePinned(reference: string): Pinned {
  const [, repository, hash] = /^([^@]+)@(sha256:[0-9a-f]{64})$/.exec(reference) ?? [];
  if (repository !== undefined && hash !== undefined) return { repository, digest: digest(hash) };
  throw new HeadgateError(
    'REFUSED',
    `Cannot use an image as it must be pinned by digest: current value is "${reference}"`,
    { hint: 'write host/name@sha256:…' },
  );
}

/** An image, or the index of its platforms. */
const acceptManifest = { accept: `${mediaTypes.manifest}, ${mediaTypes.index}` };

/** @throws {HeadgateError} `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` */
export async function imageExists({ repository, digest }: Pinned, signal: AbortSignal): Promise<boolean> {
  const question = {
    method: 'HEAD',
    path: `manifests/${digest}`,
    headers: acceptManifest,
    expected: [200, 404],
  } as const;
  return (await ask(parseRepository(repository), question, signal)).status === 200;
}

/** The digest that `tag` names at this moment, or `undefined`. @throws {HeadgateError} `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` */
export async function resolveTag(repository: string, tag: string, signal: AbortSignal): Promise<Digest | undefined> {
  const question = { method: 'HEAD', path: `manifests/${tag}`, headers: acceptManifest, expected: [200, 404] } as const;
  const answer = await ask(parseRepository(repository), question, signal);
  return answer.status === 404 ? undefined : digest(answer.headers.get('docker-content-digest') ?? '');
}

/**
 * Pushes the image of a layout; repeating is safe and cheap. Every blob is checked against its digest first.
 * Blobs that `mountFrom`, another repository of the same registry, has are taken over there instead of sent.
 * @throws {HeadgateError} `IMAGE_CORRUPT`, `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED`
 */
export async function pushImage(
  layout: string,
  { repository, mountFrom }: { repository: string; mountFrom: string | undefined },
  signal: AbortSignal,
): Promise<Pinned> {
  const address = parseRepository(repository);
  const { manifest, bytes, images } = await readLayout(layout);
  const blobs = images.flatMap(({ contents }) => [contents.config, ...contents.layers]);
  for (const blob of new Map(blobs.map((one) => [one.digest, one])).values()) {
    const content = await readBlob(layout, blob);
    await putBlob(address, { blob, content, mountFrom }, signal);
  }
  // An index last: a registry takes none of images that it has not.
  for (const image of images) await putManifest(address, image.manifest.digest, image.bytes, signal);
  if (manifest.mediaType === mediaTypes.index) await putManifest(address, manifest.digest, bytes, signal);
  return { repository, digest: manifest.digest };
}

/**
 * Gives an image a tag, in its own repository or in another one of the same registry, without a pull: the same manifest
 * bytes are written under the new name, so the digest stays.
 * @throws {HeadgateError} `USAGE`, `IMAGE_CORRUPT`, `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED`
 */
export async function nameImage(
  image: Pinned,
  to: { repository: string; tag: string },
  signal: AbortSignal,
): Promise<Pinned> {
  const [source, target] = [parseRepository(image.repository), parseRepository(to.repository)];
  if (source.origin !== target.origin) {
    throw new HeadgateError(
      'USAGE',
      `Cannot name an image of "${image.repository}" as both names must be in one registry: current value is "${to.repository}"`,
      {
        hint: 'push the image to the other registry',
      },
    );
  }
  const bytes = await copyManifest(source, target, image.digest, signal);
  await putManifest(target, image.digest, bytes, signal, to.tag);
  return { repository: to.repository, digest: image.digest };
}

/** With all that it names, indexes' images first. */
async function copyManifest(source: Address, target: Address, of: Digest, signal: AbortSignal): Promise<Buffer> {
  const bytes = await getManifest(source, of, signal);
  const { manifests } = JSON.parse(bytes.toString('utf8')) as { manifests?: readonly Descriptor[] }; // Its digest was the proof.
  for (const one of manifests ?? []) await copyManifest(source, target, one.digest, signal);
  if (manifests === undefined && source.name !== target.name) await mountAll(source, target, bytes, signal);
  await putManifest(target, of, bytes, signal);
  return bytes;
}

async function mountAll(source: Address, target: Address, manifest: Buffer, signal: AbortSignal): Promise<void> {
  const { config, layers } = JSON.parse(manifest.toString('utf8')) as Manifest; // Its digest was the proof.
  for (const blob of [config, ...layers]) {
    if ((await mount(target, blob, source, signal)) === undefined) continue;
    throw new HeadgateError(
      'REGISTRY_REFUSED',
      `Cannot name an image in "${target.repository}" as the registry must mount blobs of "${source.repository}"`,
      {
        hint: `push the image to "${target.repository}"`,
      },
    );
  }
}

/** Sends a blob unless it is there. */
export async function putBlob(
  address: Address,
  { blob, content, mountFrom }: { blob: Descriptor; content: Buffer; mountFrom: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const there = await ask(address, { method: 'HEAD', path: `blobs/${blob.digest}`, expected: [200, 404] }, signal);
  if (there.status === 200) return;
  const upload = await mount(address, blob, mountFrom === undefined ? undefined : parseRepository(mountFrom), signal);
  if (upload === undefined) return;
  upload.searchParams.set('digest', blob.digest);
  const headers = { 'content-type': 'application/octet-stream' };
  await ask(address, { method: 'PUT', path: upload.href, headers, body: content, expected: [201] }, signal);
}

/** `undefined`: mounted. Otherwise where to upload to; a registry answers so, too, when it cannot mount. */
async function mount(
  address: Address,
  blob: Descriptor,
  from: Address | undefined,
  signal: AbortSignal,
): Promise<URL | undefined> {
  const start = { method: 'POST', path: 'blobs/uploads/', expected: [201, 202] } as const;
  const answer =
    (from?.origin === address.origin ? await askToMount(address, blob, from, signal) : undefined) ??
    (await ask(address, start, signal));
  return answer.status === 201 ? undefined : new URL(answer.headers.get('location') ?? '', address.origin);
}

/** `undefined`: whoever this is there may not read the other repository, or the registry takes no such request; the blob is sent then. */
async function askToMount(address: Address, blob: Descriptor, { name: from }: Address, signal: AbortSignal) {
  const path = `blobs/uploads/?mount=${blob.digest}&from=${encodeURIComponent(from)}`;
  return ask(address, { method: 'POST', path, from, expected: [201, 202] }, signal).catch((error: unknown) => {
    if (isHeadgateError(error) && error.code === 'REGISTRY_REFUSED') return undefined;
    throw error;
  });
}

async function getManifest(address: Address, of: Digest, signal: AbortSignal): Promise<Buffer> {
  const { body } = await ask(
    address,
    { method: 'GET', path: `manifests/${of}`, headers: acceptManifest, expected: [200] },
    signal,
  );
  expectDigest(address, digestOf(body), of);
  return body;
}

/** A manifest or an index under a digest or a tag; `undefined` if there is none. */
export async function getDocument(
  address: Address,
  name: string,
  mediaType: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const headers = { accept: mediaType };
  const question = { method: 'GET', path: `manifests/${name}`, headers, expected: [200, 404] } as const;
  const { status, body } = await ask(address, question, signal);
  return status === 200 ? body : undefined;
}

export async function putDocument(
  address: Address,
  { name, mediaType, body }: { name: string; mediaType: string; body: Buffer },
  signal: AbortSignal,
): Promise<void> {
  const headers = { 'content-type': mediaType };
  await ask(address, { method: 'PUT', path: `manifests/${name}`, headers, body, expected: [201] }, signal);
}

/** A blob whole, which may be a layer; `undefined` if there is none. */
export async function getBlob(address: Address, of: Digest, signal: AbortSignal): Promise<Buffer | undefined> {
  const question = { method: 'GET', path: `blobs/${of}`, layer: true, expected: [200, 404] } as const;
  const { status, body } = await ask(address, question, signal);
  return status === 200 ? body : undefined;
}

async function putManifest(
  address: Address,
  of: Digest,
  body: Buffer,
  signal: AbortSignal,
  name: string = of,
): Promise<void> {
  const { mediaType } = JSON.parse(body.toString('utf8')) as { mediaType?: string }; // Of a layout, or proved by its digest.
  const headers = { 'content-type': mediaType ?? mediaTypes.manifest };
  const answer = await ask(
    address,
    { method: 'PUT', path: `manifests/${name}`, headers, body, expected: [201] },
    signal,
  );
  expectDigest(address, answer.headers.get('docker-content-digest') ?? of, of);
}

function expectDigest({ repository }: Address, actual: string, expected: Digest): void {
  if (actual === expected) return;
  throw new HeadgateError(
    'IMAGE_CORRUPT',
    `Cannot use a manifest of "${repository}" as its digest must be "${expected}": current value is "${actual}"`,
    {
      hint: 'check the storage of the registry, and push the image again',
    },
  );
}
