/** What an image holds, looked at without running it. */
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { type Descriptor, readBlob } from '../layout.ts';
import { expectNone, type Finding } from './report.ts';

/** Compressed. Our own images are about 45 MB, nearly all of it Node. */
export const imageMaxBytes = 80_000_000;

/** A layer that unpacks to more than this is not looked through. */
const unpackedMaxBytes = 2 ** 31;
/** Bigger files are programs; they may name the shape of a key without holding one. */
const scannedMaxBytes = 4 * 1_024 * 1_024;

/** Names that have no business in an image, by what they would bring. */
const forbidden: readonly (readonly [string, RegExp])[] = [
  ['a secret', /(^|\/)(\.env(\..*)?|\.npmrc|\.netrc|\.pgpass|id_(rsa|ed25519)|[^/]+\.(key|pem|p12))$/],
  ['a repository', /(^|\/)\.git(\/|$)/],
  ['development dependencies', /(^|\/)node_modules\//],
  ['a test', /\.(test|spec|contract|rig)\.[cm]?[jt]s$/],
];

/** Shapes of keys that their makers gave a mark. */
const secrets =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[\w+/=]{40}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{36}\b|\bnpm_\w{36}\b/;

/** Names and contents of every layer: what a later layer deletes is still there for everybody who pulls. */
export async function findForbidden(
  layout: string,
  layers: readonly Descriptor[],
  signal: AbortSignal,
): Promise<Finding> {
  const problems: string[] = [];
  let files = 0;
  for (const layer of layers) {
    for await (const file of filesOf(await readBlob(layout, layer), signal)) {
      files++;
      problems.push(...problemsOf(file));
    }
  }
  return expectNone(problems, `${files} files, none of them a secret, a test or a development dependency`);
}

type File = {
  readonly name: string;
  /** Empty for a file that is too big to be scanned. */
  readonly content: string;
};

function problemsOf({ name, content }: File): string[] {
  const named = forbidden.filter(([, shape]) => shape.test(name)).map(([what]) => `"${name}" is ${what}`);
  return secrets.test(content) ? [...named, `"${name}" holds a key`] : named;
}

async function* filesOf(layer: Buffer, signal: AbortSignal): AsyncGenerator<File> {
  const archive = extract();
  const gunzip = createGunzip();
  let bytes = 0;
  gunzip.on('error', (error) => archive.destroy(error));
  gunzip.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > unpackedMaxBytes)
      gunzip.destroy(new RangeError(`a layer unpacks to more than ${unpackedMaxBytes} bytes`));
  });
  gunzip.pipe(archive);
  gunzip.end(layer);
  for await (const entry of archive) {
    signal.throwIfAborted();
    const chunks: Buffer[] = [];
    for await (const chunk of entry) if ((entry.header.size ?? 0) <= scannedMaxBytes) chunks.push(chunk as Buffer);
    if (entry.header.type === 'file')
      yield { name: entry.header.name, content: Buffer.concat(chunks).toString('latin1') };
  }
}

/** Values that only the cluster may know are given at start, not baked in. */
export function findBakedSecrets(env: Readonly<Record<string, string>>): string[] {
  return Object.keys(env)
    .filter((name) => /TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|_KEY$/i.test(name))
    .map((name) => `the environment holds ${name}`);
}

export function checkSize(bytes: number): Finding {
  const shown = (value: number) => `${(value / 1e6).toFixed(1)} MB`;
  const over = bytes > imageMaxBytes ? [`${shown(bytes)} are more than ${shown(imageMaxBytes)}`] : [];
  return expectNone(over, `${shown(bytes)} of at most ${shown(imageMaxBytes)}`);
}
