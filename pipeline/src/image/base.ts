/**
 * The base image `from-machine`: this machine's Node and the libraries it needs, as one layer.
 * Two machines with the same Node and libc packages make the same bytes; others make another base, and so another digest.
 * Node is taken unstripped, so that its sha256 can be compared with the one its publisher names.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '@headgate/rollout';
import type { BaseImage } from './image.ts';
import { type Layer, type LayerEntry, writeLayer } from './layer.ts';

const run = promisify(execFile);

/** Raise it when the shape of the base changes, so that no older cache entry is taken. */
const shape = 1;

/** gzip 1 makes 100 MB into 40 in 1.2 s (Node 20.20.2); 9 would save a tenth of that for eight times the time. */
const level = 1;

const shapeText = JSON.stringify({ shape, level, zlib: process.versions.zlib });

/** Loaded by name at run time, so that ldd does not know them. glibc 2.34 and later have the first two inside. */
const hostLookup = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];

const settings: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/:/sbin/nologin\nnode:x:1000:1000::/app:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnode:x:1000:\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
  'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
};

/** Mount points; a read-only root cannot make them later. */
const folders = ['app', 'dev', 'proc', 'sys'];

/**
 * Makes the layer once and keeps it in `cacheFolder` by the content of everything in it.
 * `node` is the binary to take, by default the one that runs this.
 */
export function fromMachine({
  cacheFolder,
  node = process.execPath,
}: {
  cacheFolder: string;
  node?: string;
}): BaseImage {
  return async (signal) => {
    const entries = await entriesOf(node, signal);
    const kept = join(cacheFolder, `base-${keyOf(entries)}`);
    return [(await readKept(kept)) ?? (await make(entries, kept, signal))];
  };
}

/**
 * What `fromMachine` makes is a function of this: the bytes of Node and of its libraries. They are read again only when a file has changed.
 */
export async function machineKey(
  { cacheFolder, node = process.execPath }: { cacheFolder: string; node?: string },
  signal: AbortSignal,
): Promise<string> {
  const files = [await realpath(node), ...(await librariesOf(node, signal))];
  const facts = await Promise.all(
    files.map(async (path) => {
      const { size, mtimeMs, ctimeMs, ino } = await stat(path);
      return [path, size, mtimeMs, ctimeMs, ino];
    }),
  );
  const seen = createHash('sha256').update(JSON.stringify(facts)).update(shapeText).digest('hex');
  const file = join(cacheFolder, `key-${seen}`);
  const known = await readFile(file, 'utf8').catch(() => ''); // Absent: a miss.
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const key = keyOf(await entriesOf(node, signal));
  await mkdir(cacheFolder, { recursive: true });
  const part = `${file}.${process.pid}.part`;
  await writeFile(part, key);
  await rename(part, file);
  return key;
}

async function entriesOf(node: string, signal: AbortSignal): Promise<LayerEntry[]> {
  const libraries = await librariesOf(node, signal);
  const files = [
    { path: 'usr/local/bin/node', executable: true, content: await readFile(await realpath(node)) },
    ...(await Promise.all(
      libraries.map(async (path) => ({ path: path.slice(1), executable: true, content: await readFile(path) })),
    )),
    ...Object.entries(settings).map(([path, text]) => ({ path, executable: false, content: Buffer.from(text) })),
  ];
  return [
    ...files.map((file) => ({ kind: 'file', ...file }) as const),
    ...folders.map((path) => ({ kind: 'folder', path, scratch: false }) as const),
    { kind: 'folder', path: 'tmp', scratch: true },
  ];
}

/** Absolute paths, the loader included. */
async function librariesOf(node: string, signal: AbortSignal): Promise<string[]> {
  const { stdout } = await run('ldd', [node], { signal, timeout: 10_000, env: { ...process.env, LC_ALL: 'C' } }).catch(
    (cause: unknown) => {
      throw new HeadgateError('STEP_FAILED', `Cannot make a base image as ldd must tell the libraries of "${node}"`, {
        hint: 'install ldd (Debian: libc-bin) and a Node that is linked to glibc',
        cause,
      });
    },
  );
  const linked = [...stdout.matchAll(/\/\S+/g)].map(([path]) => path);
  const libc = linked.find((path) => basename(path) === 'libc.so.6');
  if (libc === undefined) {
    throw new HeadgateError(
      'STEP_FAILED',
      `Cannot make a base image as Node must be linked to glibc: current value is "${stdout}"`,
      {
        hint: 'use a Node from nodejs.org or a Debian package',
      },
    );
  }
  const named = hostLookup.map((name) => join(dirname(libc), name));
  const present = await Promise.all(
    named.map((path) =>
      access(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return [...new Set([...linked, ...present.flat()])];
}

function keyOf(entries: readonly LayerEntry[]): string {
  const key = createHash('sha256').update(shapeText);
  for (const entry of entries) {
    const facts = entry.kind === 'file' ? [entry.executable, entry.content.length] : [entry.scratch];
    key.update(JSON.stringify([entry.kind, entry.path, ...facts]));
    if (entry.kind === 'file') key.update(entry.content);
  }
  return key.digest('hex');
}

async function readKept(folder: string): Promise<Layer | undefined> {
  const text = await readFile(join(folder, 'layer.json'), 'utf8').catch(() => undefined); // Absent: a miss.
  return text === undefined ? undefined : { ...(JSON.parse(text) as Layer), file: join(folder, 'layer.tar.gz') };
}

/** Two makers at once both write whole folders of equal content, and one of them stays. */
async function make(entries: readonly LayerEntry[], kept: string, signal: AbortSignal): Promise<Layer> {
  await mkdir(dirname(kept), { recursive: true });
  const part = await mkdtemp(`${kept}.part-`);
  try {
    const layer = await writeLayer(entries, { file: join(part, 'layer.tar.gz'), level, signal });
    await writeFile(join(part, 'layer.json'), JSON.stringify(layer));
    await rename(part, kept).catch(async (error: unknown) => {
      if ((await readKept(kept)) === undefined) throw error;
    });
    return { ...layer, file: join(kept, 'layer.tar.gz') };
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}
