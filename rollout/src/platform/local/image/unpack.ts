import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Extract, extract, type Header } from 'tar-stream';

type Source = Extract extends AsyncIterable<infer Entry> ? Entry : never;

/**
 * Unpacks one layer over the ones below it. Files below may be hard links that other roots share, so nothing is ever written through
 * an existing name. Owners and times are left out: a lane reads its root and never writes it.
 * @throws {Error} if the archive is damaged, or an entry would leave `root`
 */
export async function unpackLayer(
  file: string,
  root: string,
  { gzip }: { gzip: boolean },
  signal: AbortSignal,
): Promise<void> {
  const entries = extract();
  const reading = pipeline(createReadStream(file), gzip ? createGunzip() : new PassThrough(), entries, { signal });
  // The loop below sees the same failure; without a listener here it would be an unhandled rejection first.
  reading.catch(() => {});
  const folders = new Set(['']);
  for await (const entry of entries) {
    const path = inside(entry.header.name);
    if (path !== '') {
      await makeParents(root, path, folders);
      if (basename(path).startsWith('.wh.')) await whiteOut(root, path);
      else if (entry.header.type === 'file') await writeEntry(root, path, bytesOf(entry), entry.header.mode);
      else await makeEntry(root, path, entry.header, folders);
    }
    entry.resume();
  }
  await reading;
}

/** A stream of the archive is one of bytes, which its types do not say. */
function bytesOf(entry: Source): AsyncIterable<Uint8Array> {
  return entry as unknown as AsyncIterable<Uint8Array>;
}

/** The path as told in the archive, without `.` and empty parts. */
function inside(name: string): string {
  const parts = name.split('/');
  if (name.startsWith('/') || parts.includes('..')) throw new Error(`an entry leaves the image: "${name}"`);
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}

/** Each parent must be a real folder: through a symbolic link an entry would land outside. */
async function makeParents(root: string, path: string, known: Set<string>): Promise<void> {
  const parent = dirname(path) === '.' ? '' : dirname(path);
  if (known.has(parent)) return;
  await makeParents(root, parent, known);
  await makeFolder(root, parent);
  known.add(parent);
}

async function makeFolder(root: string, path: string): Promise<void> {
  const seen = await lstat(join(root, path)).catch(() => undefined); // Not there yet.
  if (seen === undefined) await mkdir(join(root, path));
  else if (!seen.isDirectory()) throw new Error(`an entry lies below something that is no folder: "${path}"`);
}

async function writeEntry(root: string, path: string, content: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
  const target = join(root, path);
  await rm(target, { recursive: true, force: true });
  await pipeline(content, createWriteStream(target, { flags: 'wx' }));
  await chmod(target, mode & 0o777); // Without setuid: nothing in a lane may become somebody else.
}

async function makeEntry(root: string, path: string, header: Header, folders: Set<string>): Promise<void> {
  const target = join(root, path);
  if (header.type === 'directory') {
    const seen = await lstat(target).catch(() => undefined); // Not there yet.
    if (!seen?.isDirectory()) {
      await rm(target, { force: true });
      await mkdir(target);
    }
    await chmod(target, (header.mode & 0o777) | 0o700);
    return;
  }
  if (header.type !== 'symlink' && header.type !== 'link') return; // Devices and pipes: a lane has a /dev of its own.
  await rm(target, { recursive: true, force: true });
  for (const known of folders) if (known === path || known.startsWith(`${path}/`)) folders.delete(known);
  if (header.type === 'symlink') return symlink(header.linkname, target);
  const original = inside(header.linkname);
  await makeParents(root, original, folders);
  await link(join(root, original), target);
}

/** A layer's way to delete what lies below it (OCI image layer specification, "Whiteouts"). */
async function whiteOut(root: string, path: string): Promise<void> {
  const [folder, name] = [join(root, dirname(path)), basename(path).slice('.wh.'.length)];
  const names = name === '.wh..opq' ? await readdir(folder) : [name];
  if (names.includes('..') || names.includes('.')) throw new Error(`an entry leaves the image: "${path}"`);
  await Promise.all(names.map((each) => rm(join(folder, each), { recursive: true, force: true })));
}
