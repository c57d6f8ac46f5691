import type { Lane } from '../lane.ts';
import { info, numberIn, objectIn, refusal, textIn } from './api.ts';
import { type Address, type Connection, openConnection } from './connection.ts';
import { disposeLetters } from './dead-letters.ts';
import { type Config, type QueueServices, type QueueTarget, workersOf } from './description.ts';
import { fenceConsumers, pauseRemainingMs, serverTimeMs, unfenceConsumers } from './fence.ts';
import { consumerPath, type QueueApp, streamName } from './names.ts';
import type { ConsumerSeen, Fenced, LaneQueueSeen, WorkQueue } from './queue.ts';
import { settledUpTo } from './seen.ts';
import { readClaim, readSources, writeClaim, writeSources } from './sources.ts';

/** An answer older than the last one by this much is a replica's memory, not the state. */
const staleMs = 2_000;

/**
 * The queue of both lanes on NATS JetStream. Connects with the first call and again after a loss; a server that is away
 * makes calls fail, not the opening. `services` are those of headgate.yaml; `url` may carry `user:password@`.
 */
export function openJetStreamQueue({
  app,
  existing,
  services,
  url,
}: QueueTarget & { readonly url: Address }): WorkQueue & AsyncDisposable {
  return new JetStreamQueue({ app, existing }, workersOf(services), openConnection(app, url));
}

class JetStreamQueue implements WorkQueue, AsyncDisposable {
  readonly #app: QueueApp;
  readonly #workers: QueueServices;
  readonly #connection: Connection;
  /** Newest server time seen per stream. */
  readonly #newestMs = new Map<string, number>();

  constructor(app: QueueApp, workers: QueueServices, connection: Connection) {
    this.#app = app;
    this.#workers = workers;
    this.#connection = connection;
  }

  async observe(lane: Lane, signal: AbortSignal): Promise<LaneQueueSeen> {
    const stream = streamName(this.#app, lane);
    const [seen, consumers, sources] = await Promise.all([
      readInfo(this.#connection, 'stream', stream, signal),
      this.#readConsumers(lane, signal),
      readSources(this.#connection, { ...this.#app, lane }, signal),
    ]);
    this.#refuseStale(stream, serverTimeMs(seen));
    const state = objectIn(seen, 'state');
    const messages = numberIn(state, 'messages');
    return {
      messages,
      lastSeq: numberIn(state, 'last_seq'),
      oldestAgeMs: messages === 0 ? 0 : Math.max(0, serverTimeMs(seen) - Date.parse(textIn(state, 'first_ts'))),
      maxAgeMs: numberIn(objectIn(seen, 'config'), 'max_age') / 1_000_000,
      consumers: Object.fromEntries(consumers.map(([service, consumer]) => [service, consumerSeen(consumer)])),
      sources,
      epoch: [seen, ...consumers.map(([, consumer]) => consumer)].map((one) => textIn(one, 'created')).join(' '),
    };
  }

  async setSources(lane: Lane, sources: readonly Lane[], signal: AbortSignal): Promise<void> {
    await writeSources(this.#connection, { ...this.#app, lane, sources }, signal);
  }

  async claim(fence: number, signal: AbortSignal): Promise<void> {
    await writeClaim(this.#connection, this.#app.app, fence, signal);
  }

  async claimed(signal: AbortSignal): Promise<number | undefined> {
    return readClaim(this.#connection, this.#app.app, signal);
  }

  async fence(lane: Lane, forMs: number, signal: AbortSignal): Promise<Fenced> {
    return fenceConsumers(this.#connection, { consumers: this.#paths(lane), forMs }, signal);
  }

  async unfence(lane: Lane, signal: AbortSignal): Promise<void> {
    await unfenceConsumers(this.#connection, this.#paths(lane), signal);
  }

  /** Whatever the bound, a message that its own consumer may still deliver or have in work is left alone. */
  async disposeDead(lane: Lane, upToStreamSeq: number, signal: AbortSignal): Promise<number> {
    const settled = new Map<string, number>();
    for (const [service, consumer] of await this.#readConsumers(lane, signal)) {
      for (const subject of this.#workers[service]?.pulls ?? [])
        settled.set(subject, settledUpTo(consumerSeen(consumer)));
    }
    const isSettled = ({ seq, subject }: { seq: number; subject: string }): boolean =>
      seq <= (settled.get(subject) ?? 0);
    const walk = { ...this.#app, lane, upToStreamSeq, isSettled, answer: 'givenUp' } as const;
    return disposeLetters(this.#connection, walk, signal);
  }

  async answerLeft(lane: Lane, upToStreamSeq: number, signal: AbortSignal): Promise<number> {
    const walk = { ...this.#app, lane, upToStreamSeq, isSettled: () => true, answer: 'takenBack' } as const;
    return disposeLetters(this.#connection, walk, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }

  async #readConsumers(lane: Lane, signal: AbortSignal): Promise<readonly (readonly [string, Config])[]> {
    const read = async (service: string): Promise<readonly [string, Config]> => [
      service,
      await readInfo(this.#connection, 'consumer', consumerPath(this.#app, lane, service), signal),
    ];
    return Promise.all(Object.keys(this.#workers).map(read));
  }

  #refuseStale(stream: string, nowMs: number): void {
    const newestMs = this.#newestMs.get(stream) ?? nowMs;
    this.#newestMs.set(stream, nowMs); // A clock that was set back costs one look, not all until it has caught up.
    if (nowMs < newestMs - staleMs) {
      throw refusal(`STREAM.INFO.${stream}`, `${newestMs - nowMs} ms older than the last answer`, 0);
    }
  }

  #paths(lane: Lane): readonly string[] {
    return Object.keys(this.#workers).map((service) => consumerPath(this.#app, lane, service));
  }
}

/** In a cluster only what a leader says counts. */
async function readInfo(
  connection: Connection,
  kind: 'stream' | 'consumer',
  name: string,
  signal: AbortSignal,
): Promise<Config> {
  const seen = await info(connection, kind, name, signal);
  if (seen === undefined) throw refusal(`${kind.toUpperCase()}.INFO.${name}`, 'does not exist', 0);
  const cluster = seen['cluster'];
  if (cluster !== undefined && textIn(objectIn(seen, 'cluster'), 'leader') === '') {
    throw refusal(`${kind.toUpperCase()}.INFO.${name}`, 'has no leader', 0);
  }
  return seen;
}

function consumerSeen(seen: Config): ConsumerSeen {
  const delivered = objectIn(seen, 'delivered');
  return {
    pending: numberIn(seen, 'num_pending'),
    ackPending: numberIn(seen, 'num_ack_pending'),
    waiting: numberIn(seen, 'num_waiting'),
    deliveredConsumerSeq: numberIn(delivered, 'consumer_seq'),
    deliveredStreamSeq: numberIn(delivered, 'stream_seq'),
    ackFloorStreamSeq: numberIn(objectIn(seen, 'ack_floor'), 'stream_seq'),
    ackWaitMs: numberIn(objectIn(seen, 'config'), 'ack_wait') / 1_000_000,
    fencedMs: pauseRemainingMs(seen),
  };
}
