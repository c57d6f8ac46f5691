/** Layers: tar archives whose bytes are a function of paths, contents and executable bits alone. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Digest, digest } from '@headgate/rollout';
import { pack } from 'tar-stream';

/** One entry of a layer; `path` is relative to the root of the image, without a leading slash. Parent folders come by themselves. */
export type LayerEntry =
  | { readonly kind: 'file'; readonly path: string; readonly executable: boolean; readonly content: Uint8Array }
  /** `scratch`: everybody may write, as in `/tmp`. */
  | { readonly kind: 'folder'; readonly path: string; readonly scratch: boolean };

/** A gzipped layer on this disk. */
export type Layer = {
  /** Of the file, i.e. of the gzipped bytes. They depend on the zlib of the running Node. */
  readonly digest: Digest;
  /** Of the tar inside. It depends on nothing but the entries. */
  readonly diffId: Digest;
  readonly sizeBytes: number;
  readonly file: string;
};

/** `level` is gzip's, 1 to 9. A failed or aborted write leaves no file. */
export function writeLayer(entries: readonly LayerEntry[], options: WriteOptions): Promise<Layer> {
  return gzipLayer(tarOf(entries), options);
}

type WriteOptions = { readonly file: string; readonly level: number; readonly signal: AbortSignal };

/** Gzips a tar that is there already; `writeLayer` for the rest. */
export async function gzipLayer(tar: Readable, { file, level, signal }: WriteOptions): Promise<Layer> {
  const inside = createHash('sha256');
  const outside = createHash('sha256');
  const written = createWriteStream(file);
  try {
    await pipeline(
      hashing(tar, inside),
      createGzip({ level }),
      (source: AsyncIterable<Uint8Array>) => hashing(source, outside),
      written,
      { signal },
    );
  } catch (error) {
    // A file that is still being opened would be made after it was removed.
    if (!written.closed) await new Promise<void>((closed) => written.once('close', closed));
    await rm(file, { force: true });
    throw error;
  }
  return {
    digest: digest(`sha256:${outside.digest('hex')}`),
    diffId: digest(`sha256:${inside.digest('hex')}`),
    sizeBytes: (await stat(file)).size,
    file,
  };
}

async function* hashing(source: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>) {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

/** Root owns everything, and nothing has a time: whoever builds, wherever and whenever, leaves no trace. */
function tarOf(entries: readonly LayerEntry[]): Readable {
  const tar = pack();
  for (const entry of inOrder(entries)) {
    const owner = { uid: 0, gid: 0, mtime: new Date(0) };
    if (entry.kind === 'folder') {
      tar.entry({ ...owner, name: `${entry.path}/`, type: 'directory', mode: entry.scratch ? 0o1777 : 0o755 });
    } else {
      const mode = entry.executable ? 0o755 : 0o644;
      tar.entry({ ...owner, name: entry.path, type: 'file', mode }, Buffer.from(entry.content));
    }
  }
  tar.finalize();
  return Readable.from(tar);
}

/** Sorted by path, byte by byte, with each parent folder before what is in it. */
function inOrder(entries: readonly LayerEntry[]): LayerEntry[] {
  const byPath = new Map<string, LayerEntry>();
  for (const entry of entries) {
    for (let end = entry.path.indexOf('/'); end !== -1; end = entry.path.indexOf('/', end + 1)) {
      const path = entry.path.slice(0, end);
      if (!byPath.has(path)) byPath.set(path, { kind: 'folder', path, scratch: false });
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}
