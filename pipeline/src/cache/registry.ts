/** The store that several machines share: each entry is a sealed document `<repository>:<step>-<key>`. */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Digest, digest } from '@headgate/rollout';
import { digestOf } from '../image/layout.ts';
import { fileName } from '../plan/graph.ts';
import { getBlob } from '../registry/client.ts';
import { type Address, parseRepository } from '../registry/http.ts';
import { type Partner, readSealed, writeSealed } from '../registry/sealed.ts';
import { hashFile } from '../run/workspace.ts';
import type { Entry, StepCache, StoredFile } from './cache.ts';

const entryType = 'application/vnd.headgate.step.v1+json';
/** A larger content is not sent: of an image it is the base, which lies beside the image that was published before. The first one of all is built again. */
const contentMaxBytes = 4_000_000;
const latest = 'latest';

export type RegistryCacheOptions = Partner & {
  /** `host:port/name`. */
  readonly repository: string;
  /** Where contents that were too large to be sent may lie all the same: the repositories of the images. */
  readonly published?: readonly string[];
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
  const sealing = { address, secret, mediaType: entryType };

  async function read(step: string, name: string, signal: AbortSignal): Promise<Entry | undefined> {
    const tag = tagOf(step, name);
    const found = await readSealed(sealing, tag, signal);
    if (found.kind === 'none') return undefined;
    const entry = found.kind === 'whole' ? (found.document as Entry) : undefined; // The seal is the proof.
    // `latest` stands for whatever key it has; every other name must be the key itself.
    if (entry?.parts?.step === step && (name === latest || entry.key === name)) return entry;
    warn(`the entry ${tag} of the cache is not used, as its seal is not by our key`);
    return undefined;
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
      const tags = [entry.key, latest].map((name) => tagOf(entry.parts.step, name));
      await writeSealed(sealing, { tags, document: whole, contents }, signal);
    },
  };
}

async function readUnlessLarge(path: string): Promise<Buffer | undefined> {
  return (await stat(path)).size <= contentMaxBytes ? readFile(path) : undefined;
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
