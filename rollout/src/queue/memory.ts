import { HeadgateError } from '../errors.ts';
import type { Instant, Lane, PerLane } from '../lane.ts';
import { limits, type QueueServices, workersOf } from './description.ts';
import { type ConsumerSeen, type LaneQueueSeen, lettersMax, type WorkQueue } from './queue.ts';
import { settledUpTo } from './seen.ts';

/** What a proxy puts into a lane. `id` is the `Nats-Msg-Id`, `subject` is without the lane's prefix. */
type MemoryRequest = { readonly id: string; readonly subject: string };

/** A message in the hands of a worker. */
type Delivery = {
  readonly lane: Lane;
  readonly seq: number;
  readonly id: string;
  readonly subject: string;
  /** 1 for the first. */
  readonly attempt: number;
};

/** The port, and the hands of proxies and workers, for tests of what stands above. */
export interface MemoryQueue extends WorkQueue {
  publish(lane: Lane, request: MemoryRequest): void;
  /** One pull that does not wait. `undefined`: nothing to do, or fenced. Whether a worker may pull here says its source list, not this. */
  take(lane: Lane, service: string): Delivery | undefined;
  /** A nack is delivered again at once, until the last attempt. */
  settle(delivery: Delivery, how: 'ack' | 'nak'): void;
  /** So many pull requests are parked. */
  park(lane: Lane, service: string, requests: number): void;
  /** Ids of the dead letters, in the order in which they were copied; each was answered with 500 or 503. */
  deadLetters(lane: Lane): readonly string[];
  /** While `false`, every call of the port throws `QUEUE_UNREACHABLE`. */
  setReachable(reachable: boolean): void;
}

type Message = MemoryRequest & {
  readonly seq: number;
  readonly at: number;
  attempts: number;
  /** In work until then; `undefined` while it waits. */
  ackBefore: number | undefined;
  /** No consumer gets it any more. As on the server, this is noticed when it would be delivered once more. */
  dead: boolean;
};

type Consumer = {
  readonly pulls: readonly string[];
  fencedUntil: number;
  parked: number;
  deliveredConsumerSeq: number;
  deliveredStreamSeq: number;
};

type LaneState = {
  messages: Message[];
  lastSeq: number;
  sources: readonly Lane[];
  readonly consumers: ReadonlyMap<string, Consumer>;
  readonly deadLetters: string[];
};

/** A queue with lanes, workqueue streams, redelivery, expiry and fences, and no server. `now` is its only clock. */
export function openMemoryQueue({ services, now }: { services: QueueServices; now: () => Instant }): MemoryQueue {
  return new InMemoryQueue(workersOf(services), now);
}

class InMemoryQueue implements MemoryQueue {
  readonly #now: () => Instant;
  readonly #lanes: PerLane<LaneState>;
  #reachable = true;
  #claimed: number | undefined;

  constructor(workers: QueueServices, now: () => Instant) {
    this.#now = now;
    this.#lanes = { blue: emptyLane('blue', workers), green: emptyLane('green', workers) };
  }

  async observe(lane: Lane, signal: AbortSignal): Promise<LaneQueueSeen> {
    const state = this.#reach(lane, signal);
    const now = this.#now();
    const oldest = state.messages[0];
    return {
      messages: state.messages.length,
      lastSeq: state.lastSeq,
      oldestAgeMs: oldest === undefined ? 0 : now - oldest.at,
      maxAgeMs: limits.maxAgeMs,
      consumers: Object.fromEntries(
        [...state.consumers].map(([service, consumer]) => [service, consumerSeen(state, consumer, now)]),
      ),
      sources: state.sources,
      epoch: 'memory',
    };
  }

  async setSources(lane: Lane, sources: readonly Lane[], signal: AbortSignal): Promise<void> {
    this.#reach(lane, signal).sources = [...sources];
  }

  async claim(fence: number, signal: AbortSignal): Promise<void> {
    this.#reach('blue', signal);
    this.#claimed = fence;
  }

  async claimed(signal: AbortSignal): Promise<number | undefined> {
    this.#reach('blue', signal);
    return this.#claimed;
  }

  async fence(lane: Lane, forMs: number, signal: AbortSignal): Promise<{ kind: 'fenced'; remainingMs: number }> {
    for (const consumer of this.#reach(lane, signal).consumers.values()) consumer.fencedUntil = this.#now() + forMs;
    return { kind: 'fenced', remainingMs: forMs };
  }

  async unfence(lane: Lane, signal: AbortSignal): Promise<void> {
    for (const consumer of this.#reach(lane, signal).consumers.values()) {
      consumer.fencedUntil = Math.min(consumer.fencedUntil, this.#now() + 100); // As slow as the real one.
    }
  }

  async disposeDead(lane: Lane, upToStreamSeq: number, signal: AbortSignal): Promise<number> {
    const state = this.#reach(lane, signal);
    const now = this.#now();
    const settled = new Map(
      [...state.consumers.values()].flatMap((consumer) => {
        const upTo = Math.min(upToStreamSeq, settledUpTo(consumerSeen(state, consumer, now)));
        return consumer.pulls.map((subject) => [subject, upTo] as const);
      }),
    );
    return dispose(state, ({ seq, subject }) => seq <= (settled.get(subject) ?? 0));
  }

  async answerLeft(lane: Lane, upToStreamSeq: number, signal: AbortSignal): Promise<number> {
    return dispose(this.#reach(lane, signal), ({ seq }) => seq <= upToStreamSeq);
  }

  publish(lane: Lane, { id, subject }: MemoryRequest): void {
    const state = this.#lanes[lane];
    state.lastSeq += 1;
    const fresh = { attempts: 0, ackBefore: undefined, dead: false };
    state.messages.push({ id, subject, seq: state.lastSeq, at: this.#now(), ...fresh });
  }

  take(lane: Lane, service: string): Delivery | undefined {
    const state = this.#settleTime(lane);
    const consumer = state.consumers.get(service);
    if (consumer === undefined || consumer.fencedUntil > this.#now()) return undefined;
    giveUp(state, consumer);
    const message = ofConsumer(state, consumer).find(({ dead, ackBefore }) => !dead && ackBefore === undefined);
    if (message === undefined) return undefined;
    message.attempts += 1;
    message.ackBefore = this.#now() + limits.ackWaitMs;
    consumer.deliveredConsumerSeq += 1;
    consumer.deliveredStreamSeq = Math.max(consumer.deliveredStreamSeq, message.seq);
    return { lane, seq: message.seq, id: message.id, subject: message.subject, attempt: message.attempts };
  }

  settle({ lane, seq, attempt }: Delivery, how: 'ack' | 'nak'): void {
    const state = this.#settleTime(lane);
    const message = state.messages.find((one) => one.seq === seq);
    if (how === 'ack') state.messages = state.messages.filter((one) => one !== message);
    else if (message?.attempts === attempt) message.ackBefore = undefined;
  }

  park(lane: Lane, service: string, requests: number): void {
    const consumer = this.#lanes[lane].consumers.get(service);
    if (consumer !== undefined) consumer.parked = requests;
  }

  deadLetters(lane: Lane): readonly string[] {
    return this.#lanes[lane].deadLetters;
  }

  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
  }

  #reach(lane: Lane, signal: AbortSignal): LaneState {
    signal.throwIfAborted();
    if (!this.#reachable) {
      throw new HeadgateError(
        'QUEUE_UNREACHABLE',
        `Cannot ask lane ${lane} as it must answer: current value is "away"`,
        {
          hint: 'call setReachable(true)',
        },
      );
    }
    return this.#settleTime(lane);
  }

  /** What the server would have done by now: expired messages are gone, unacked ones wait again. */
  #settleTime(lane: Lane): LaneState {
    const state = this.#lanes[lane];
    const now = this.#now();
    state.messages = state.messages.filter(({ at }) => now - at < limits.maxAgeMs);
    for (const message of state.messages) {
      if (message.ackBefore !== undefined && message.ackBefore <= now) message.ackBefore = undefined;
    }
    for (const consumer of state.consumers.values()) {
      if (consumer.parked > 0 && consumer.fencedUntil <= now) giveUp(state, consumer);
    }
    return state;
  }
}

function dispose(state: LaneState, isLeft: (message: Message) => boolean): number {
  const letters = state.messages.filter(isLeft).slice(0, lettersMax);
  state.deadLetters.push(...letters.map(({ id }) => id));
  state.messages = state.messages.filter((message) => !letters.includes(message));
  return letters.length;
}

function emptyLane(lane: Lane, workers: QueueServices): LaneState {
  const consumers = Object.entries(workers).map(([service, { pulls }]): [string, Consumer] => [
    service,
    { pulls, fencedUntil: 0, parked: 0, deliveredConsumerSeq: 0, deliveredStreamSeq: 0 },
  ]);
  return { messages: [], lastSeq: 0, sources: [lane], consumers: new Map(consumers), deadLetters: [] };
}

function consumerSeen(state: LaneState, consumer: Consumer, now: number): ConsumerSeen {
  const own = ofConsumer(state, consumer);
  const fresh = own.filter(({ attempts }) => attempts === 0);
  const inWork = own.filter((message) => message.attempts > 0 && !message.dead);
  const firstOpen = own.find(({ attempts }) => attempts > 0);
  return {
    pending: fresh.length,
    ackPending: inWork.length,
    waiting: consumer.parked,
    deliveredConsumerSeq: consumer.deliveredConsumerSeq,
    deliveredStreamSeq: consumer.deliveredStreamSeq,
    // As on the server: a dead message holds the floor for as long as something is in work.
    ackFloorStreamSeq: inWork.length > 0 && firstOpen !== undefined ? firstOpen.seq - 1 : consumer.deliveredStreamSeq,
    ackWaitMs: limits.ackWaitMs,
    fencedMs: Math.max(0, consumer.fencedUntil - now),
  };
}

function ofConsumer(state: LaneState, consumer: Consumer): readonly Message[] {
  return state.messages.filter(({ subject }) => consumer.pulls.includes(subject));
}

function giveUp(state: LaneState, consumer: Consumer): void {
  for (const message of ofConsumer(state, consumer)) {
    if (message.attempts >= limits.maxDeliver && message.ackBefore === undefined) message.dead = true;
  }
}
