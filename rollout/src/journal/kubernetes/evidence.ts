import { randomUUID } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { KubeClient, Written } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import type { Journal, Json } from '../journal.ts';
import { limits, refuseOver } from '../limits.ts';
import { type ConfigMap, damaged, labelsOf, overtaken, reading, writeTriesMax, writing } from './objects.ts';

/** A part is full at this size, so that reading one back stays cheap. A single larger chunk has a part of its own. */
const partBytes = 256 * 1_024;
const partsMax = limits.evidenceBytes / partBytes;
const key = 'evidence.gz';
const appendMark = 'headgate.dev/append';

type Evidence = Pick<Journal, 'appendEvidence' | 'readEvidence'>;

/** The last part of a release; before its first chunk there is none. */
type Tail = { readonly number: number; readonly object: ConfigMap };

/** Each chunk is a gzip member: members one after another are one gzip file, so an append touches nothing that stands. */
export function evidenceIn(client: KubeClient, app: string): Evidence {
  const what = (release: number) => `evidence of release ${release} in ${client.namespace}`;
  const tails = new Map<number, Tail>();
  /** An append without an answer, which the caller may repeat: it must not count twice. */
  let unsure: { readonly text: string; readonly mark: string } | undefined;

  async function append(release: number, text: string, signal: AbortSignal): Promise<void> {
    const repeated = unsure?.text === text ? unsure : undefined;
    const mark = repeated?.mark ?? randomUUID();
    const member = gzipSync(text);
    for (let tries = 0; tries < writeTriesMax; tries++) {
      const tail = (repeated === undefined && tails.get(release)) || (await findTail(client, app, release, signal));
      if (tail?.object.metadata.annotations?.[appendMark] === mark) {
        unsure = undefined;
        return void tails.set(release, tail);
      }
      const next = await put(client, app, { release, tail, member, mark }, signal).catch((error: unknown) => {
        unsure = { text, mark };
        throw error;
      });
      unsure = undefined;
      if (next.kind === 'written') return void tails.set(release, next.tail);
      tails.delete(release);
    }
    throw overtaken(what(release));
  }

  return {
    async appendEvidence(release, entries, signal) {
      signal.throwIfAborted();
      const text = `${JSON.stringify(entries)}\n`;
      refuseOver(limits.chunkBytes, Buffer.byteLength(text), 'a chunk of evidence in bytes', 'append less at once');
      if (entries.length === 0) return;
      await writing(what(release), signal, async () => {
        const isFirst = !tails.has(release);
        await append(release, text, signal);
        if (isFirst) await forgetOldReleases(client, app, signal);
      });
    },
    readEvidence: (release, signal) =>
      reading(what(release), signal, async () => {
        const { items } = await client.list<ConfigMap>(kinds.ConfigMap, { labels: selector(app, release) }, signal);
        return items.toSorted((a, b) => partOf(a) - partOf(b)).flatMap(entriesOf);
      }),
  };
}

type Put = {
  readonly release: number;
  readonly tail: Tail | undefined;
  readonly member: Buffer;
  readonly mark: string;
};

type Placed = { readonly kind: 'written'; readonly tail: Tail } | { readonly kind: 'overtaken' };

async function put(
  client: KubeClient,
  app: string,
  { release, tail, member, mark }: Put,
  signal: AbortSignal,
): Promise<Placed> {
  const before = tail === undefined ? Buffer.alloc(0) : bytesOf(tail.object);
  if (tail !== undefined && tail.object.immutable !== true && before.length + member.length <= partBytes) {
    const { metadata } = tail.object;
    const object: ConfigMap = {
      metadata: { ...metadata, annotations: { ...metadata.annotations, [appendMark]: mark } },
      binaryData: { [key]: Buffer.concat([before, member]).toString('base64') },
    };
    return placed(await client.replace(kinds.ConfigMap, object, signal), tail.number);
  }
  if (tail !== undefined) await close(client, tail, signal);
  const number = tail === undefined ? 0 : tail.number + 1;
  refuseOver(partsMax, number + 1, `evidence of release ${release} in parts`, 'end this release');
  const labels = { ...labelsOf(app), 'headgate.dev/release': String(release), 'headgate.dev/part': String(number) };
  const metadata = { name: `headgate-${app}-e${release}-${number}`, labels, annotations: { [appendMark]: mark } };
  return placed(
    await client.create<ConfigMap>(
      kinds.ConfigMap,
      { metadata, binaryData: { [key]: member.toString('base64') } },
      signal,
    ),
    number,
  );
}

function placed(written: Written<ConfigMap>, number: number): Placed {
  return written.kind === 'written'
    ? { kind: 'written', tail: { number, object: written.object } }
    : { kind: 'overtaken' };
}

/** A full part never changes again, and the API server sees to it. */
async function close(client: KubeClient, { object }: Tail, signal: AbortSignal): Promise<void> {
  if (object.immutable !== true) await client.merge(kinds.ConfigMap, object.metadata.name, { immutable: true }, signal);
}

async function findTail(
  client: KubeClient,
  app: string,
  release: number,
  signal: AbortSignal,
): Promise<Tail | undefined> {
  const { items } = await client.listMetadata(kinds.ConfigMap, { labels: selector(app, release) }, signal);
  const last = items.toSorted((a, b) => partOf(a) - partOf(b)).at(-1);
  const object = last && (await client.get<ConfigMap>(kinds.ConfigMap, last.metadata.name, signal));
  return object && { number: partOf(object), object };
}

async function forgetOldReleases(client: KubeClient, app: string, signal: AbortSignal): Promise<void> {
  const { items } = await client.listMetadata(
    kinds.ConfigMap,
    { labels: `headgate.dev/app=${app},headgate.dev/release` },
    signal,
  );
  const releaseOf = ({ metadata }: ConfigMap) => Number(metadata.labels?.['headgate.dev/release']);
  const releases = [...new Set(items.map(releaseOf))].sort((a, b) => b - a);
  const old = new Set(releases.slice(limits.releasesKept));
  for (const item of items.filter((item) => old.has(releaseOf(item)))) {
    await client.remove(kinds.ConfigMap, item.metadata.name, signal);
  }
}

function selector(app: string, release: number): string {
  return `headgate.dev/app=${app},headgate.dev/release=${release}`;
}

function partOf({ metadata }: ConfigMap): number {
  return Number(metadata.labels?.['headgate.dev/part']);
}

function bytesOf({ binaryData }: ConfigMap): Buffer {
  return Buffer.from(binaryData?.[key] ?? '', 'base64');
}

function entriesOf(object: ConfigMap): readonly Json[] {
  try {
    const lines = gunzipSync(bytesOf(object)).toString().split('\n').slice(0, -1);
    return lines.flatMap((line) => JSON.parse(line) as readonly Json[]); // Only `appendEvidence` writes lines.
  } catch (cause) {
    throw damaged(`configmap ${object.metadata.namespace}/${object.metadata.name}`, String(cause), cause);
  }
}
