import { headers, type JsMsg, type NatsConnection } from 'nats';
import type { Source } from './config.ts';
import { type Envelope, parseEnvelope } from './envelope.ts';
import type { Handler } from './handlers/handler.ts';
import { addNamed, listNamed } from './handlers/named.ts';
import { addRatings, listRatings, removeRatings } from './handlers/ratings.ts';
import { type Log, sparing, wordsOf } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Settlement } from './pull.ts';
import { CANONICAL_HEADER, type Reply, refusalOf } from './reply.ts';
import { type RatingRepository, Unavailable } from './repository.ts';

/** Everything this service answers, by subject. */
const handlers: Readonly<Record<string, Handler>> = {
  'get.ratings': listRatings,
  'post.ratings': addRatings,
  'delete.ratings': removeRatings,
  'get.users': listNamed('users'),
  'post.users': addNamed('users'),
  'get.services': listNamed('services'),
  'post.services': addNamed('services'),
};

/** Our own mistake is tried again after so long, until it is a dead letter. */
const LATER_MS = 500;
const AWAY_FIRST_MS = 500;
const AWAY_MAX_MS = 30_000;
const ERROR_LOG_MS = 10_000;

export type DispatchOptions = {
  readonly connection: NatsConnection;
  readonly store: RatingRepository;
  readonly log: Log;
  readonly metrics: Metrics;
};

/**
 * Effect, then reply, then ack. A worker that dies before the ack is asked again and finds the kept reply; the other way round an
 * ack could stand for work that nobody did, or for an answer that nobody got.
 */
export function openDispatch({ connection, store, log, metrics }: DispatchOptions) {
  const logError = sparing(log, ERROR_LOG_MS);

  return async (message: JsMsg, source: Source): Promise<Settlement> => {
    const begun = performance.now();
    const envelope = parseEnvelope(message.string());
    try {
      const reply = await answer(message, envelope, store);
      if (envelope.replyTo !== undefined) send(connection, envelope.replyTo, reply);
      metrics.handled(subjectLabel(message.subject), reply.status, (performance.now() - begun) / 1_000);
      if (envelope.kind === 'request') return { kind: 'ack' };
      logError('malformed', { stream: source.stream, why: envelope.why });
      return { kind: 'term', reason: envelope.why };
    } catch (error) {
      // What the store cannot do now comes again; our own mistake comes again too, until it is a dead letter that people find.
      const isAway = error instanceof Unavailable;
      logError(isAway ? 'store-unavailable' : 'handler-failed', { subject: message.subject, error: wordsOf(error) });
      return { kind: 'later', delayMs: isAway ? awayMs(message.info.deliveryCount) : LATER_MS };
    }
  };
}

/**
 * Soon at first, while the client still waits; then more and more rarely, or a store that is away for some seconds would use up all
 * deliveries that the consumer allows, and the message would be dead. The client may have its 504 by then; the effect is applied once.
 */
function awayMs(deliveries: number): number {
  return Math.min(AWAY_MAX_MS, AWAY_FIRST_MS * 4 ** (deliveries - 1));
}

async function answer(message: JsMsg, envelope: Envelope, store: RatingRepository): Promise<Reply> {
  if (envelope.kind === 'malformed') return refusalOf(400, [{ path: '', message: envelope.why }]);
  const { subject } = message;
  const handler = Object.hasOwn(handlers, subject) ? handlers[subject] : undefined;
  if (handler === undefined) return refusalOf(404, [{ path: '', message: `nothing answers "${subject}"` }]);
  return handler({ id: messageId(message), subject, body: envelope.body, query: envelope.query }, store);
}

/** The proxy names every message. One without a name is named by its place in the stream, which a redelivery shares. */
function messageId(message: JsMsg): string {
  const id = message.headers?.get('Nats-Msg-Id') ?? '';
  return id === '' ? `${message.info.stream}:${message.seq}` : id;
}

function send(connection: NatsConnection, replyTo: string, { text }: Reply): void {
  const marks = headers();
  marks.set(CANONICAL_HEADER, '1');
  connection.publish(replyTo, text, { headers: marks });
}

/** Unknown subjects share one label: clients choose them. */
function subjectLabel(subject: string): string {
  return Object.hasOwn(handlers, subject) ? subject : 'unknown';
}
