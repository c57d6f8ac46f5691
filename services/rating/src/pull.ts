import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Consumer,
  ConsumerEvents,
  type ConsumerMessages,
  type JsMsg,
  type NatsConnection,
  type Subscription,
} from 'nats';
import type { Source } from './config.ts';
import { type Log, wordsOf } from './log.ts';
import type { Metrics } from './metrics.ts';
import { Presence, type Standing } from './presence.ts';
import { Slots } from './slots.ts';

/** What becomes of a message: done with; never to come again; to come again after a while. */
export type Settlement =
  | { readonly kind: 'ack' }
  | { readonly kind: 'term'; readonly reason: string }
  | { readonly kind: 'later'; readonly delayMs: number };

export type PullOptions = {
  readonly connection: NatsConnection;
  readonly source: Source;
  /** How many messages are handled at the same time; as many again wait in this process. */
  readonly parallelism: number;
  readonly work: (message: JsMsg) => Promise<Settlement>;
  readonly log: Log;
  readonly metrics: Metrics;
};

const RETRY_MS = 250;
/** A parked pull is renewed this often. */
const EXPIRES_MS = 5_000;
/** Two missed ones, and the client looks whether the consumer is still there. */
const HEARTBEAT_MS = 1_000;
const LEAVE_MAX_MS = 1_000;

/** After these nothing that this consumer delivered can be settled any more. */
const lost: readonly string[] = [
  ConsumerEvents.ConsumerDeleted,
  ConsumerEvents.ConsumerNotFound,
  ConsumerEvents.StreamNotFound,
];

/** From finding the consumer to losing it. */
type Session = { readonly ackWaitMs: number; isLost: boolean };

/** Pulls from one durable consumer, waits for it while it is absent, and finds it again when it was made anew. */
export class Pull {
  readonly #options: PullOptions;
  readonly #slots: Slots;
  readonly #presence = new Presence();
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #problem = '';

  constructor(options: PullOptions) {
    this.#options = options;
    this.#slots = new Slots(options.parallelism);
    this.#ended = this.#run();
  }

  get source(): Source {
    return this.#options.source;
  }

  get inFlight(): number {
    return this.#slots.taken;
  }

  /** Of the consumer, as far as this process knows. */
  standing(): Standing {
    return this.#presence.standing();
  }

  /** Pulls no more, gives back what no handler has begun, and resolves when the running ones are done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
    await this.#slots.empty();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#session();
      } catch (error) {
        this.#note(wordsOf(error));
      }
      this.#presence.down();
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {}); // Aborted: the loop's condition ends it.
    }
  }

  async #session(): Promise<void> {
    const { connection, source } = this.#options;
    const consumer = await connection.jetstream().consumers.get(source.stream, source.consumer);
    const session: Session = { ackWaitMs: await ackWaitMs(consumer), isLost: false };
    if (this.#stopping.signal.aborted) return;
    const messages = await consumer.consume({
      max_messages: 2 * this.#options.parallelism,
      expires: EXPIRES_MS,
      idle_heartbeat: HEARTBEAT_MS,
    });
    this.#presence.up();
    this.#note('');
    void this.#watch(messages, session);
    const leaving = () => void leave(messages);
    this.#stopping.signal.addEventListener('abort', leaving);
    try {
      await this.#take(messages, session);
    } finally {
      this.#stopping.signal.removeEventListener('abort', leaving);
      void messages.close();
    }
  }

  /** Goes on to the end after a stop as well: what is left in the buffer must be given back, not waited for. */
  async #take(messages: ConsumerMessages, session: Session): Promise<void> {
    const { metrics, source } = this.#options;
    for await (const message of messages) {
      const begun = performance.now();
      if (message.redelivered) metrics.redelivered(source.stream);
      if (await this.#slots.take(this.#stopping.signal)) void this.#work(message, session, begun);
      else this.#settle(message, session, { kind: 'later', delayMs: 0 }, begun);
    }
  }

  async #work(message: JsMsg, session: Session, begun: number): Promise<void> {
    const { work, connection } = this.#options;
    const alive = setInterval(() => {
      if (!connection.isClosed()) message.working();
    }, session.ackWaitMs / 2);
    try {
      this.#settle(message, session, await work(message), begun);
    } finally {
      clearInterval(alive);
      this.#slots.giveBack();
    }
  }

  #settle(message: JsMsg, session: Session, settlement: Settlement, begun: number): void {
    const { connection, metrics, source } = this.#options;
    // A stream made anew counts from 1 again: an ack of before could take a message that nobody has handled.
    if (session.isLost || connection.isClosed()) return;
    switch (settlement.kind) {
      case 'ack':
        message.ack();
        metrics.acked(source.stream, performance.now() - begun);
        break;
      case 'term':
        message.term(settlement.reason);
        metrics.terminated(source.stream);
        break;
      case 'later':
        message.nak(settlement.delayMs);
        metrics.returned(source.stream);
        break;
    }
  }

  /** The client would go on asking for a lost consumer, more and more rarely; a new session finds the next one within 250 ms. */
  async #watch(messages: ConsumerMessages, session: Session): Promise<void> {
    for await (const { type } of await messages.status()) {
      if (lost.includes(type)) session.isLost = true;
      else if (type !== ConsumerEvents.NoResponders) continue;
      this.#note(type);
      void messages.close();
    }
  }

  #note(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { log, source } = this.#options;
    if (problem === '') log('pulling', source);
    else log('not-pulling', { ...source, problem });
  }
}

/** Asked of the server when the consumer was found. */
async function ackWaitMs(consumer: Consumer): Promise<number> {
  const { config } = await consumer.info(true);
  return (config.ack_wait ?? 30_000_000_000) / 1_000_000;
}

/**
 * Gives the parked pulls up without losing what is on its way. `close()` alone unsubscribes at once: a message that the server has
 * just sent would then wait for `ack_wait`. The client (2.29.3) has no public way to drain a pull, but honours it on its subscription.
 */
async function leave(messages: ConsumerMessages): Promise<void> {
  const { sub } = messages as unknown as { readonly sub: Subscription };
  const stop = new AbortController();
  // A server that does not answer has nothing on its way.
  await Promise.race([sub.drain(), sleep(LEAVE_MAX_MS, undefined, { signal: stop.signal })]).catch(() => {});
  stop.abort();
  await messages.close();
}
