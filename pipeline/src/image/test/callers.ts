/** The two sides of a lane that the test plays itself: a client of workers, and a worker that answers a proxy. */
import { randomUUID } from 'node:crypto';
import { consumerName, type Lane, streamName, withDeadline } from '@headgate/rollout';
import { createInbox, headers, type NatsConnection } from 'nats';
import type { Ground } from './ground.ts';
import type { RecordedRequest } from './requests.ts';

/** What came back for a request, by HTTP or from a worker. `status` 0: nothing did. */
export type Reply = { readonly status: number; readonly body: unknown };

const silence: Reply = { status: 0, body: undefined };

/** Longer than any timeout of a proxy. */
const answerMaxMs = 8_000;

/** Sends a request to a proxy. */
export async function callHttp(
  base: string,
  { subject, query, body }: RecordedRequest,
  signal: AbortSignal,
): Promise<Reply> {
  const [method = '', ...path] = subject.split('.');
  const url = `${base}/${path.join('/')}${query === '' ? '' : `?${query}`}`;
  const payload =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return await fetched(url, { method: method.toUpperCase(), ...payload }, signal);
}

/** Asks as anybody would. */
export async function fetched(url: string, init: RequestInit, signal: AbortSignal): Promise<Reply> {
  const within = withDeadline(signal, answerMaxMs);
  try {
    const response = await fetch(url, { ...init, signal: within });
    return { status: response.status, body: parse(await response.text()) };
  } catch {
    signal.throwIfAborted();
    return silence; // Refused, broken or too late: for a client it is all the same.
  }
}

/** Puts a request into the lane as a proxy does, and waits for the worker's reply. */
export async function callWorker(
  nats: NatsConnection,
  prefix: string,
  { subject, query, body }: RecordedRequest,
): Promise<Reply> {
  const inbox = createInbox();
  const id = randomUUID();
  const envelope = {
    body: body ?? {},
    headers: { 'x-request-id': id },
    originReplyTo: inbox,
    queryParameters: Object.fromEntries(new URLSearchParams(query)),
  };
  const marks = headers();
  marks.set('Nats-Msg-Id', id);
  const replies = nats.subscribe(inbox, { max: 1, timeout: answerMaxMs });
  nats.publish(`${prefix}.${subject}`, JSON.stringify(envelope), { reply: inbox, headers: marks });
  try {
    for await (const message of replies) {
      const reply = parse(message.string()) as { statusCode?: unknown; body?: unknown } | undefined;
      return typeof reply?.statusCode === 'number' ? { status: reply.statusCode, body: reply.body } : silence;
    }
  } catch {
    // Nothing came in time.
  }
  return silence;
}

export type Responder = AsyncDisposable;

/** Answers every request of the lane after `delayMs` with its subject, as that lane's workers would. */
export async function startResponder(
  { nats, app }: Ground,
  lane: Lane,
  { delayMs }: { delayMs: number },
): Promise<Responder> {
  const workers = Object.entries(app.services).filter(([, { pulls }]) => pulls.length > 0);
  const pulling = await Promise.all(
    workers.map(async ([service]) => {
      const consumer = await nats.jetstream().consumers.get(streamName(app, lane), consumerName(app, lane, service));
      return consumer.consume({
        max_messages: 500,
        callback: (message) => {
          const { originReplyTo } = parse(message.string()) as { originReplyTo: string }; // Ours to check: the answer goes there.
          setTimeout(() => {
            if (nats.isClosed()) return;
            nats.publish(
              originReplyTo,
              JSON.stringify({ headers: {}, body: { subject: message.subject }, statusCode: 200 }),
            );
            message.ack();
          }, delayMs);
        },
      });
    }),
  );
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(pulling.map((messages) => messages.close()));
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // No JSON is an answer, too; whoever asked compares it.
  }
}
