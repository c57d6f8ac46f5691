import { headers, type MsgHdrs } from 'nats';
import type { Lane } from '../lane.ts';
import { ask, numberIn, objectIn, parseAnswer, parseObject, refusal, refusals, textIn } from './api.ts';
import type { Connection } from './connection.ts';
import { deadLetterSubject, type QueueApp, streamName } from './names.ts';
import { lettersMax } from './queue.ts';

type Place = QueueApp & { readonly lane: Lane };

type Letter = {
  readonly seq: number;
  /** As the worker saw it, without the lane's prefix. */
  readonly subject: string;
  readonly time: string;
  readonly headers: string;
  readonly payload: Buffer;
};

/** What we answer in the name of a worker: of one that never did, or of one that was taken away. */
const answers = {
  givenUp: answerOf(500, 'The request was given up after its last delivery'),
  takenBack: answerOf(503, 'The version that had the request was taken back before it answered'),
};

/** So many are on their way at once, or most of the time would go by in waiting for the server. */
const batchMax = 32;

type Walk = Place & {
  readonly upToStreamSeq: number;
  readonly isSettled: (letter: { seq: number; subject: string }) => boolean;
  readonly answer: keyof typeof answers;
};

/**
 * Walks the lane's stream up to `upToStreamSeq`; each message that `isSettled` is copied to the dead letters, answered and deleted,
 * in this order, so that a repetition after a crash is safe: the copy is deduplicated and a second answer is ignored.
 * @throws {HeadgateError} `QUEUE_UNREACHABLE`
 */
export async function disposeLetters(connection: Connection, walk: Walk, signal: AbortSignal): Promise<number> {
  const { upToStreamSeq, isSettled } = walk;
  let disposed = 0;
  let batch: Letter[] = [];
  const disposeBatch = async (): Promise<void> => {
    await Promise.all(batch.map((letter) => disposeOne(connection, { ...walk, letter }, signal)));
    disposed += batch.length;
    batch = [];
  };
  for (let from = 1; from <= upToStreamSeq && disposed + batch.length < lettersMax; ) {
    const letter = await nextLetter(connection, streamName(walk, walk.lane), from, signal);
    if (letter === undefined || letter.seq > upToStreamSeq) break;
    if (isSettled(letter)) batch.push(letter);
    if (batch.length === batchMax) await disposeBatch();
    from = letter.seq + 1;
  }
  await disposeBatch();
  return disposed;
}

async function disposeOne(
  connection: Connection,
  { letter, answer, ...place }: Walk & { readonly letter: Letter },
  signal: AbortSignal,
): Promise<void> {
  await copy(connection, { ...place, letter }, signal);
  const inbox = inboxOf(letter.payload.toString('utf8'));
  if (inbox !== undefined) await connection.send(inbox, answers[answer], signal);
  const call = `STREAM.MSG.DELETE.${streamName(place, place.lane)}`;
  const deleted = await ask(connection, call, { seq: letter.seq, no_erase: true }, signal);
  if (deleted.kind === 'refused' && deleted.code !== refusals.sequenceMissing) {
    throw refusal(call, deleted.description, deleted.code);
  }
}

function answerOf(statusCode: number, message: string): string {
  return JSON.stringify({ headers: {}, body: { message }, statusCode });
}

async function copy(
  connection: Connection,
  { app, lane, letter }: Place & { readonly letter: Letter },
  signal: AbortSignal,
): Promise<void> {
  const subject = deadLetterSubject(app, lane);
  const stored = parseHeaders(letter.headers);
  const id = stored.get('Nats-Msg-Id') || `${letter.seq}:${letter.time}`;
  const copied = headers();
  for (const [key, values] of stored) {
    if (key.startsWith('Nats-')) continue; // They told the lane's stream something, and mean nothing to this one.
    for (const value of values) copied.append(key, value);
  }
  copied.set('Nats-Msg-Id', `${id}:dead`);
  copied.set('Headgate-Subject', letter.subject);
  const message = await connection.request(subject, letter.payload, signal, copied);
  const ack = parseAnswer(subject, message.string());
  if (ack.kind === 'refused') throw refusal(subject, ack.description, ack.code);
}

async function nextLetter(
  connection: Connection,
  stream: string,
  from: number,
  signal: AbortSignal,
): Promise<Letter | undefined> {
  const call = `STREAM.MSG.GET.${stream}`;
  const found = await ask(connection, call, { seq: from, next_by_subj: '>' }, signal);
  if (found.kind === 'refused') {
    if (found.code === refusals.messageMissing) return undefined;
    throw refusal(call, found.description, found.code);
  }
  const message = objectIn(found.value, 'message');
  return {
    seq: numberIn(message, 'seq'),
    subject: textIn(message, 'subject'),
    time: textIn(message, 'time'),
    headers: Buffer.from(textIn(message, 'hdrs'), 'base64').toString('utf8'),
    payload: Buffer.from(textIn(message, 'data'), 'base64'),
  };
}

/**
 * Where the client's proxy waits. Only inboxes: what stands in a message must not choose any other subject for us,
 * nor carry a line break or blank into the protocol.
 */
export function inboxOf(payload: string): string | undefined {
  const inbox = textIn(parseObject(payload) ?? {}, 'originReplyTo');
  return /^_INBOX[A-Za-z0-9_~@=+:,%-]*(\.[A-Za-z0-9_~@=+:,%-]+)+$/.test(inbox) ? inbox : undefined;
}

/** A stored header block: a version line, then `Key: value` lines. */
function parseHeaders(block: string): MsgHdrs {
  const parsed = headers();
  for (const line of block.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) parsed.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return parsed;
}
