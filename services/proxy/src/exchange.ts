import { createInbox, type Msg } from 'nats';
import type { Link } from './link.ts';
import type { Message } from './message.ts';
import { RecentIds } from './msg-id.ts';

/** What came of a message. */
export type Outcome =
  | { readonly kind: 'answered'; readonly data: Uint8Array; readonly canonical: boolean }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'noResponders' }
  | { readonly kind: 'natsGone' }
  | { readonly kind: 'forgotten' };

type Waiter = {
  readonly message: Message;
  readonly deadline: number;
  readonly settle: (outcome: Outcome) => void;
  resends: number;
};

/** A worker's promise that its reply has the one form that may be cut instead of parsed (reply.ts). */
const CANONICAL_MARK = 'Rating-Canonical';

/** "No responders" says that nothing captured the message, so sending it again is safe: an election may be going on. */
const RESENDS_MAX = 2;
const RESEND_AFTER_MS = 250;
const SWEEP_MS = 50;
/** Of a reply address: the counter in base 36 grows to this in a few thousand years. */
const COUNTER_MAX_CHARS = 11;

/**
 * Requests and their answers over one inbox: a single wildcard subscription and a map from reply address to waiter,
 * instead of a subscription for each request. All publishes of one turn of the event loop leave in one write.
 */
export class Exchange {
  /** In the order of their deadlines, because every waiter has the same timeout. */
  readonly #waiters = new Map<string, Waiter>();
  readonly #recentIds = new RecentIds();
  readonly #inbox: string;
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #sweeper: NodeJS.Timeout;
  #outgoing: Waiter[] = [];
  #counter = 0;

  constructor(link: Link, { inboxPrefix, timeoutMs }: { inboxPrefix: string; timeoutMs: number }) {
    this.#link = link;
    this.#timeoutMs = timeoutMs;
    this.#inbox = createInbox(inboxPrefix);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** What the link must subscribe. */
  get subscription(): string {
    return `${this.#inbox}.*`;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** No address is longer. */
  get addressMaxBytes(): number {
    return this.#inbox.length + 1 + COUNTER_MAX_CHARS;
  }

  /** A reply address that was never used before. */
  address(): string {
    return `${this.#inbox}.${(this.#counter++).toString(36)}`;
  }

  /** Publishes the message and waits for its answer. Never rejects; the outcome comes within the timeout. */
  ask(message: Message): Promise<Outcome> {
    return new Promise((settle) => {
      const waiter = { message, deadline: performance.now() + this.#timeoutMs, settle, resends: 0 };
      this.#waiters.set(message.replyTo, waiter);
      this.#send(waiter);
    });
  }

  /** The client has left: nobody waits at this address any more. */
  forget(replyTo: string): void {
    const waiter = this.#waiters.get(replyTo);
    if (waiter !== undefined) this.#settle(waiter, { kind: 'forgotten' });
  }

  receive(message: Msg): void {
    const waiter = this.#waiters.get(message.subject);
    if (waiter === undefined) return; // Too late, or a second answer.
    if (message.data.length === 0 && message.headers?.code === 503) {
      this.#resend(waiter);
      return;
    }
    const canonical = message.headers?.get(CANONICAL_MARK) === '1';
    this.#settle(waiter, { kind: 'answered', data: message.data, canonical });
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const waiter of this.#waiters.values()) this.#settle(waiter, { kind: 'forgotten' });
  }

  #settle(waiter: Waiter, outcome: Outcome): void {
    this.#waiters.delete(waiter.message.replyTo);
    waiter.settle(outcome);
  }

  /** At once, or when the server would no longer drop the id as a repeat. */
  #send(waiter: Waiter): void {
    if (!this.#waiters.has(waiter.message.replyTo)) return;
    const { repeatableId } = waiter.message;
    const waitMs = repeatableId === undefined ? 0 : this.#recentIds.waitMs(repeatableId, performance.now());
    if (waitMs > 0) {
      setTimeout(() => this.#send(waiter), waitMs);
      return;
    }
    this.#published(waiter); // Marked now too, so that a repeat in the same turn sees it.
    this.#outgoing.push(waiter);
    if (this.#outgoing.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const waiter of outgoing) {
      if (this.#link.publish(waiter.message)) this.#published(waiter);
      else this.#settle(waiter, { kind: 'natsGone' });
    }
  }

  #published({ message: { repeatableId } }: Waiter): void {
    if (repeatableId !== undefined) this.#recentIds.published(repeatableId, performance.now());
  }

  #resend(waiter: Waiter): void {
    if (waiter.resends >= RESENDS_MAX) {
      this.#settle(waiter, { kind: 'noResponders' });
      return;
    }
    waiter.resends++;
    setTimeout(() => this.#send(waiter), RESEND_AFTER_MS);
  }

  #sweep(): void {
    const now = performance.now();
    for (const waiter of this.#waiters.values()) {
      if (waiter.deadline > now) break;
      this.#settle(waiter, { kind: 'timeout' });
    }
  }
}
