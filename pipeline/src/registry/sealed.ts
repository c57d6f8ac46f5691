/**
 * What machines hand to each other through a registry: a document with its contents, as an OCI artifact. Whoever can write to a registry
 * could plant one there, so it counts only with an HMAC over all that it says, which names its contents by their hashes.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalJson, isHeadgateError } from '@headgate/rollout';
import { type Descriptor, digestOf, mediaTypes } from '../image/layout.ts';
import { getBlob, getDocument, putBlob, putDocument } from './client.ts';
import type { Address } from './http.ts';

export type Sealing = {
  readonly address: Address;
  /** Of the HMAC; everybody who shares the documents has it. */
  readonly secret: string;
  /** Of the document. */
  readonly mediaType: string;
};

/** One of the machines that share documents. */
export type Partner = Pick<Sealing, 'secret'> & {
  /** False for whoever may look and must not leave anything, e.g. a pull request. */
  readonly writes: boolean;
  /** Told of each document that is there and does not count. */
  readonly warn: (message: string) => void;
};

const sealName = 'headgate.dev/seal';
/** Of contents. */
export const contentType = 'application/octet-stream';
const empty = Buffer.from('{}');

/** `foreign`: there is one, and its seal is not by our key. @throws {HeadgateError} `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` */
export type Found = { readonly kind: 'none' | 'foreign' } | { readonly kind: 'whole'; readonly document: unknown };

export async function readSealed(sealing: Sealing, tag: string, signal: AbortSignal): Promise<Found> {
  const manifest = await getDocument(sealing.address, tag, mediaTypes.manifest, signal);
  if (manifest === undefined) return { kind: 'none' };
  const document = await documentOf(manifest, sealing, signal).catch((error: unknown) => {
    if (isHeadgateError(error) && error.code === 'REGISTRY_UNREACHABLE') throw error; // Which says nothing of the document.
    return undefined;
  });
  return document === undefined ? { kind: 'foreign' } : { kind: 'whole', document };
}

async function documentOf(
  manifest: Buffer,
  { address, secret }: Sealing,
  signal: AbortSignal,
): Promise<unknown | undefined> {
  const { layers, annotations } = JSON.parse(manifest.toString('utf8')) as {
    layers: Descriptor[];
    annotations?: Record<string, string>;
  };
  const bytes = layers[0] === undefined ? undefined : await getBlob(address, layers[0].digest, signal);
  if (bytes === undefined) return undefined;
  const document: unknown = JSON.parse(bytes.toString('utf8'));
  const seal = Buffer.from(annotations?.[sealName] ?? '', 'base64');
  const wanted = sealOf(document, secret);
  return seal.length === wanted.length && timingSafeEqual(seal, wanted) ? document : undefined;
}

/** Contents first, so that whoever finds a document finds all of it that was sent. */
export async function writeSealed(
  { address, secret, mediaType }: Sealing,
  what: {
    readonly tags: readonly string[];
    readonly document: unknown;
    readonly contents: readonly Buffer[];
    /** Contents that were sent before. */
    readonly there?: readonly Descriptor[];
  },
  signal: AbortSignal,
): Promise<void> {
  const send = async (content: Buffer, type: string): Promise<Descriptor> => {
    const blob = { mediaType: type, digest: digestOf(content), size: content.length };
    await putBlob(address, { blob, content, mountFrom: undefined }, signal);
    return blob;
  };
  const blobs = [...(what.there ?? [])];
  for (const content of what.contents) blobs.push(await send(content, contentType));
  const layer = await send(Buffer.from(canonicalJson(what.document)), mediaType);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: mediaType,
    config: await send(empty, 'application/vnd.oci.empty.v1+json'),
    layers: [layer, ...new Map(blobs.map((blob) => [blob.digest, blob])).values()],
    annotations: { [sealName]: sealOf(what.document, secret).toString('base64') },
  };
  const body = Buffer.from(JSON.stringify(manifest));
  for (const name of what.tags) {
    await putDocument(address, { name, mediaType: mediaTypes.manifest, body }, signal);
  }
}

function sealOf(document: unknown, secret: string): Buffer {
  return createHmac('sha256', secret).update(canonicalJson(document)).digest();
}
