import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { withDeadline } from '../../../deadline.ts';
import { HeadgateError } from '../../../errors.ts';
import { fetchLoggedIn, loginHint } from '../../../registry/index.ts';
import type { ImageReference } from './reference.ts';

/** What the distribution specification asks a registry to take at least. */
const documentMaxBytes = 4 << 20;
const layerMaxBytes = 2 ** 31;
const deadlineMs = 120_000;

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** A manifest, an index or a config: JSON of whatever shape. @throws {HeadgateError} `IMAGE_CORRUPT`, `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` */
export async function downloadDocument(
  from: ImageReference,
  { kind, file }: { kind: 'manifests' | 'blobs'; file: string },
  signal: AbortSignal,
): Promise<unknown> {
  await downloadFile(from, { kind, file, maxBytes: documentMaxBytes }, signal);
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (cause) {
    throw corrupt(from, 'it must be JSON', cause);
  }
}

/** A layer as it lies in the registry. @throws {HeadgateError} `IMAGE_CORRUPT`, `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` */
export function downloadLayer(from: ImageReference, file: string, signal: AbortSignal): Promise<void> {
  return downloadFile(from, { kind: 'blobs', file, maxBytes: layerMaxBytes }, signal);
}

export function corrupt({ origin, name, digest }: ImageReference, why: string, cause?: unknown): HeadgateError {
  return new HeadgateError('IMAGE_CORRUPT', `Cannot use ${digest} of ${name} at ${origin} as ${why}`, {
    hint: 'push the image again; nothing of it was kept',
    cause,
  });
}

async function downloadFile(
  from: ImageReference,
  { kind, file, maxBytes }: { kind: 'manifests' | 'blobs'; file: string; maxBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const within = withDeadline(signal, deadlineMs);
  const url = new URL(`${from.origin}/v2/${from.name}/${kind}/${from.digest}`);
  const hash = createHash('sha256');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(bytes > maxBytes ? corrupt(from, `it must have at most ${maxBytes} bytes`) : null, chunk);
    },
  });
  try {
    const access = { host: from.host, scopes: [`repository:${from.name}:pull`], env: process.env };
    const response = await fetchLoggedIn(url, { headers: { accept: manifestTypes }, signal: within }, access);
    if (response.status === 401 || response.status === 403) {
      throw new HeadgateError(
        'REGISTRY_REFUSED',
        `Cannot get ${url} as the registry must let it be read: current value is "${response.status}"`,
        { hint: await loginHint(`${from.host}/${from.name}`, access, within) },
      );
    }
    if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`);
    await pipeline(Readable.fromWeb(response.body as ReadableStream), count, createWriteStream(file), {
      signal: within,
    });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof HeadgateError) throw cause;
    throw new HeadgateError('REGISTRY_UNREACHABLE', `Cannot get ${url} as the registry did not give it`, {
      hint: `check that ${from.origin}/v2/ answers and has the image`,
      cause,
    });
  }
  const seen = `sha256:${hash.digest('hex')}`;
  if (seen !== from.digest) throw corrupt(from, `its bytes must have this digest: current value is "${seen}"`);
}
