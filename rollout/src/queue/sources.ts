import { headers } from 'nats';
import { HeadgateError } from '../errors.ts';
import type { Lane } from '../lane.ts';
import { parseAnswer, refusal } from './api.ts';
import type { Connection } from './connection.ts';
import { bucketStream, claimSubject, laneOfStream, type QueueApp, sourcesSubject, streamName } from './names.ts';

/** The source list of a lane: which streams its workers pull from, in the key-value bucket that they watch. */

type Place = QueueApp & { readonly lane: Lane };

const triesMax = 5;

/** JetStream's code for: somebody else put the key since it was read. */
const conflict = 10071;

/** What stands in the key; `text` is `undefined` if nothing does. `sequence` names the version, 0 for none. */
type Entry = { readonly text: string | undefined; readonly sequence: number };

/** An absent key means the own lane only. @throws {HeadgateError} `QUEUE_UNREACHABLE` also for a list that is none of ours */
export async function readSources(connection: Connection, place: Place, signal: AbortSignal): Promise<readonly Lane[]> {
  const { app, lane } = place;
  const { text } = await readEntry(connection, sourcesSubject(app, lane), signal);
  return text === undefined ? [lane] : parseSources(place, text);
}

/** Puts the list unless it stands there already. @throws {HeadgateError} `QUEUE_UNREACHABLE` also after five conflicts */
export async function writeSources(
  connection: Connection,
  { sources, ...place }: Place & { readonly sources: readonly Lane[] },
  signal: AbortSignal,
): Promise<void> {
  const subject = sourcesSubject(place.app, place.lane);
  const wanted = JSON.stringify(sources.map((source) => streamName(place, source)));
  for (let tries = 0; tries < triesMax; tries++) {
    const entry = await readEntry(connection, subject, signal);
    if (entry.text === wanted) return;
    if (await put(connection, { subject, text: wanted, after: entry.sequence }, signal)) return;
  }
  throw refusal(`a put of ${subject}`, `changed by somebody else ${triesMax} times`, conflict);
}

/** The fence of whoever drives, beside the lists. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export async function writeClaim(connection: Connection, app: string, fence: number, signal: AbortSignal) {
  await put(connection, { subject: claimSubject(app), text: String(fence) }, signal);
}

/** `undefined`: nobody has claimed it. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export async function readClaim(connection: Connection, app: string, signal: AbortSignal): Promise<number | undefined> {
  const { text } = await readEntry(connection, claimSubject(app), signal);
  return text === undefined ? undefined : Number(text);
}

/** `after`: only over that version. `false`: somebody else was faster. */
async function put(
  connection: Connection,
  { subject, text, after }: { subject: string; text: string; after?: number },
  signal: AbortSignal,
): Promise<boolean> {
  const expected = headers();
  if (after !== undefined) expected.set('Nats-Expected-Last-Subject-Sequence', String(after));
  const ack = parseAnswer(subject, (await connection.request(subject, text, signal, expected)).string());
  if (ack.kind === 'given') return true;
  if (ack.code === conflict) return false;
  throw refusal(subject, ack.description, ack.code);
}

async function readEntry(connection: Connection, subject: string, signal: AbortSignal): Promise<Entry> {
  const call = `DIRECT.GET.${bucketStream}.${subject}`;
  const message = await connection.request(`$JS.API.${call}`, '', signal);
  if (message.headers?.code === 404) return { text: undefined, sequence: 0 };
  const sequence = Number(message.headers?.get('Nats-Sequence') || 'NaN');
  if (!Number.isInteger(sequence)) throw refusal(call, message.headers?.description ?? 'no sequence', 0);
  const deleted = message.headers?.has('KV-Operation') === true; // A marker of DEL or PURGE, never on a put.
  return { text: deleted ? undefined : message.string(), sequence };
}

function parseSources(place: Place, text: string): readonly Lane[] {
  const found = namesIn(text).map((stream) => laneOfStream(place, stream));
  const sources = found.filter((source) => source !== undefined);
  if (found.length > 0 && sources.length === found.length) return sources;
  if (text === '[]') return [];
  throw new HeadgateError(
    'QUEUE_UNREACHABLE',
    `Cannot read ${sourcesSubject(place.app, place.lane)} as it must be a JSON array of this app's streams: current value is "${text.slice(0, 80)}"`,
    { hint: `put ["${streamName(place, place.lane)}"] into it` },
  );
}

function namesIn(text: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : [];
  } catch {
    return []; // The caller shows the text.
  }
}
