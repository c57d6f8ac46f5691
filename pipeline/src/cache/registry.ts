/**
 * The store that several machines share: each entry is an OCI artifact `<repository>:<step>-<key>`. Whoever can write to a
 * registry could plant a result there, so an entry counts only with an HMAC over its key and all that it holds.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonicalJson, type Digest, digest } from '@headgate/rollout';
import { type Descriptor, digestOf, mediaTypes } from '../image/layout.ts';
import { fileName } from '../plan/graph.ts';
import { getBlob, getDocument, putBlob, putDocument } from '../registry/client.ts';
import { type Address, parseRepository } from '../registry/http.ts';
import { hashFile } from '../run/workspace.ts';
import type { Entry, StepCache, StoredFile } from './cache.ts';

const entryType = 'application/vnd.headgate.step.v1+json';
const empty = Buffer.from('{}');
/** A larger content is not sent: of an image it is the base, which lies beside the image that was published before. */
const contentMaxBytes = 4_000_000;
const latest = 'latest';
const sealName = 'headgate.dev/seal';

export type RegistryCacheOptions = {
  /** `host:port/name`. */
  readonly repository: string;
  /** Where contents that were too large to be sent may lie all the same: the repositories of the images. */
  readonly published?: readonly string[];
  /** Of the HMAC; everybody who shares the cache has it. */
  readonly secret: string;
  /** False for whoever may look and must not leave anything, e.g. a pull request. */
  readonly writes: boolean;
  /** Told once of each entry that is there and does not count. */
  readonly warn: (message: string) => void;
};

export function openRegistryCache({
  repository,
  published = [],
  secret,
  writes,
  warn,
}: RegistryCacheOptions): StepCache {
  const address = parseRepository(repository);
  const everywhere = [address, ...published.map((name) => parseRepository(name))];
  const sealOf = (entry: Entry) => createHmac('sha256', secret).update(canonicalJson(entry)).digest();

  async function read(step: string, name: string, signal: AbortSignal): Promise<Entry | undefined> {
    const tag = tagOf(step, name);
    const manifest = await getDocument(address, tag, mediaTypes.manifest, signal);
    if (manifest === undefined) return undefined;
    const entry = await entryOf(manifest, signal).catch(() => undefined);
    // `latest` stands for whatever key it has; every other name must be the key itself.
    if (entry?.parts.step === step && (name === latest || entry.key === name)) return entry;
    warn(`the entry ${tag} of the cache is not used, as its seal is not by our key`);
    return undefined;
  }

  async function entryOf(manifest: Buffer, signal: AbortSignal): Promise<Entry | undefined> {
    const { layers, annotations } = JSON.parse(manifest.toString('utf8')) as {
      layers: Descriptor[];
      annotations?: Record<string, string>;
    };
    const bytes = layers[0] === undefined ? undefined : await getBlob(address, layers[0].digest, signal);
    if (bytes === undefined) return undefined;
    const entry = JSON.parse(bytes.toString('utf8')) as Entry; // The seal below is the proof.
    const seal = Buffer.from(annotations?.[sealName] ?? '', 'base64');
    const wanted = sealOf(entry);
    return seal.length === wanted.length && timingSafeEqual(seal, wanted) ? entry : undefined;
  }

  return {
    where: 'registry',
    find: (step, key, signal) => read(step, key, signal),
    latest: (step, signal) => read(step, latest, signal),

    async restore({ files, log }, to, signal) {
      for (const file of files) {
        const there = await to.workspace.fingerprint(file.path);
        if (there?.sha256 === file.sha256 && there.executable === file.executable) continue;
        if (!(await fetchTo(everywhere, { ...file, path: to.workspace.path(file.path) }, signal))) return false;
      }
      return fetchTo([address], { path: to.log, sha256: log, executable: false }, signal);
    },

    async keep(entry, from, signal) {
      if (!writes) return;
      const paths = [...entry.files.map(({ path }) => from.workspace.path(path)), from.log];
      const contents = (await Promise.all(paths.map(readUnlessLarge))).filter((content) => content !== undefined);
      const whole: Entry = { ...entry, log: await hashFile(from.log) };
      await publish(address, { entry: whole, contents, seal: sealOf(whole) }, signal);
    },
  };
}

async function readUnlessLarge(path: string): Promise<Buffer | undefined> {
  return (await stat(path)).size <= contentMaxBytes ? readFile(path) : undefined;
}

/** Contents first, so that whoever finds an entry finds all of it that was sent. */
async function publish(
  address: Address,
  { entry, contents, seal }: { entry: Entry; contents: readonly Buffer[]; seal: Buffer },
  signal: AbortSignal,
): Promise<void> {
  const blobs: Descriptor[] = [];
  for (const content of contents) blobs.push(await send(address, content, 'application/octet-stream', signal));
  const layer = await send(address, Buffer.from(canonicalJson(entry)), entryType, signal);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: entryType,
    config: await send(address, empty, 'application/vnd.oci.empty.v1+json', signal),
    layers: [layer, ...new Map(blobs.map((blob) => [blob.digest, blob])).values()],
    annotations: { [sealName]: seal.toString('base64') },
  };
  const body = Buffer.from(JSON.stringify(manifest));
  for (const name of [entry.key, latest]) {
    await putDocument(address, { name: tagOf(entry.parts.step, name), mediaType: mediaTypes.manifest, body }, signal);
  }
}

async function send(address: Address, content: Buffer, mediaType: string, signal: AbortSignal): Promise<Descriptor> {
  const blob = { mediaType, digest: digestOf(content), size: content.length };
  await putBlob(address, { blob, content, mountFrom: undefined }, signal);
  return blob;
}

/** `path` is absolute. False if the content is nowhere there or not what its name says. */
async function fetchTo(
  places: readonly Address[],
  { path, sha256, executable }: StoredFile,
  signal: AbortSignal,
): Promise<boolean> {
  const content = await findBlob(places, digest(`sha256:${sha256}`), signal);
  if (content === undefined || digestOf(content) !== `sha256:${sha256}`) return false;
  const part = `${path}.${process.pid}.part`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(part, content, { mode: executable ? 0o755 : 0o644 });
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
  return true;
}

async function findBlob(places: readonly Address[], of: Digest, signal: AbortSignal): Promise<Buffer | undefined> {
  for (const place of places) {
    const content = await getBlob(place, of, signal);
    if (content !== undefined) return content;
  }
  return undefined;
}

/** A tag holds no colon, and at most 128 characters: a step has room for half of them. */
function tagOf(step: string, name: string): string {
  return `${fileName(step).slice(0, 63)}-${name}`;
}
