/**
 * Documents in a registry, as OCI artifacts. Those beside an image have a `subject`, and are found by the referrers tag scheme (opencontainers/distribution-spec,
 * "Referrers Tag Schema"), which every registry can hold.
 */
import { type Digest, HeadgateError } from '@headgate/rollout';
import { type Descriptor, digestOf, mediaTypes } from '../image/layout.ts';
import { getBlob, getDocument, type Pinned, putBlob, putDocument } from '../registry/client.ts';
import { type Address, parseRepository } from '../registry/http.ts';

export type Attachment = { readonly artifactType: string; readonly content: Buffer };

type Manifest = { readonly mediaType?: string; readonly subject?: Descriptor; readonly layers?: readonly Descriptor[] };
type Artifact = { readonly digest: Digest; readonly subject: Digest | undefined; readonly content: Buffer };
type Referrer = Descriptor & { readonly artifactType?: string };
type Index = { readonly schemaVersion: 2; readonly mediaType: string; readonly manifests: readonly Referrer[] };

/** The config of an artifact that needs none (opencontainers/image-spec, "Guidance for an Empty Descriptor"). */
const empty = { mediaType: 'application/vnd.oci.empty.v1+json', bytes: Buffer.from('{}') };
const attachmentsMax = 100;

/** Puts a document beside the image. Equal documents are one, so repeating is safe. */
export async function attach(image: Pinned, { artifactType, content }: Attachment, signal: AbortSignal): Promise<void> {
  const address = parseRepository(image.repository);
  const subject = await subjectOf(address, image.digest, signal);
  const own = await putArtifact(address, { artifactType, content, subject }, signal);
  await enlist(address, image.digest, { ...own, artifactType }, signal);
}

/** An artifact of one document, under its digest or under a `tag`, which it takes from whatever had it. */
export async function putArtifact(
  address: Address,
  { artifactType, content, subject, tag }: Attachment & { readonly subject?: Descriptor; readonly tag?: string },
  signal: AbortSignal,
): Promise<Descriptor> {
  const config = descriptorOf(empty.mediaType, empty.bytes);
  const layer = descriptorOf(artifactType, content);
  await putBlob(address, { blob: config, content: empty.bytes, mountFrom: undefined }, signal);
  await putBlob(address, { blob: layer, content, mountFrom: undefined }, signal);
  const parts = { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType, config, layers: [layer], subject };
  const body = Buffer.from(JSON.stringify(parts));
  const own = descriptorOf(mediaTypes.manifest, body);
  await putDocument(address, { name: tag ?? own.digest, mediaType: mediaTypes.manifest, body }, signal);
  return own;
}

/** The document of an artifact, proved by its digest; `undefined` if there is none or it is damaged. */
export async function getArtifact(address: Address, name: string, signal: AbortSignal): Promise<Artifact | undefined> {
  const manifest = await getDocument(address, name, mediaTypes.manifest, signal);
  if (manifest === undefined) return undefined;
  const { subject, layers } = parse<Manifest>(manifest) ?? {};
  const [layer] = layers ?? [];
  const content = layer && (await getBlob(address, layer.digest, signal));
  if (layer === undefined || content === undefined || digestOf(content) !== layer.digest) return undefined;
  return { digest: digestOf(manifest), subject: subject?.digest, content };
}

/** Contents of the image's documents of this kind, each proved by its digest; what is damaged is left out. */
export async function attached(image: Pinned, artifactType: string, signal: AbortSignal): Promise<readonly Buffer[]> {
  const address = parseRepository(image.repository);
  const { manifests } = await readIndex(address, image.digest, signal);
  const own = manifests.filter((one) => one.artifactType === artifactType).slice(0, attachmentsMax);
  const found = await Promise.all(own.map((one) => contentOf(address, one, image.digest, signal)));
  return found.filter((content) => content !== undefined);
}

async function contentOf(
  address: Address,
  referrer: Referrer,
  subject: Digest,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const found = await getArtifact(address, referrer.digest, signal);
  return found?.digest === referrer.digest && found.subject === subject ? found.content : undefined;
}

/** Two writers at once may lose one entry of the list; both look again, and the loser's document is attached by its next run. */
async function enlist(address: Address, subject: Digest, own: Referrer, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 3; tries++) {
    const index = await readIndex(address, subject, signal);
    if (index.manifests.some(({ digest }) => digest === own.digest)) return;
    const body = Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, own] }));
    await putDocument(address, { name: tagOf(subject), mediaType: mediaTypes.index, body }, signal);
  }
  const { manifests } = await readIndex(address, subject, signal);
  if (manifests.some(({ digest }) => digest === own.digest)) return;
  throw new HeadgateError(
    'REGISTRY_REFUSED',
    `Cannot attach to ${subject} as its list in "${address.repository}" must keep what is put in it`,
    {
      hint: 'let one run at a time publish, and run it again',
    },
  );
}

async function readIndex(address: Address, subject: Digest, signal: AbortSignal): Promise<Index> {
  const bytes = await getDocument(address, tagOf(subject), mediaTypes.index, signal);
  const found = bytes && parse<Partial<Index>>(bytes); // A list of hints: whatever it names is proved by its digest.
  const manifests = Array.isArray(found?.manifests) ? found.manifests : [];
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

/** `undefined` for what is damaged. */
function parse<Shape extends object>(bytes: Buffer): Shape | undefined {
  try {
    const read: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof read === 'object' && read !== null ? (read as Shape) : undefined;
  } catch {
    return undefined;
  }
}

async function subjectOf(address: Address, digest: Digest, signal: AbortSignal): Promise<Descriptor> {
  const bytes = await getDocument(address, digest, `${mediaTypes.manifest}, ${mediaTypes.index}`, signal);
  if (bytes !== undefined) return descriptorOf(parse<Manifest>(bytes)?.mediaType ?? mediaTypes.manifest, bytes);
  throw new HeadgateError(
    'REGISTRY_REFUSED',
    `Cannot attach to an image as "${address.repository}" must have it: current value is "${digest}"`,
    {
      hint: 'push the image first',
    },
  );
}

function tagOf(digest: Digest): string {
  return digest.replace(':', '-');
}

function descriptorOf(mediaType: string, bytes: Buffer): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}
