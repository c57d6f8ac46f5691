import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  connect,
  DiscardPolicy,
  headers,
  type JsMsg,
  type NatsConnection,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';

/** What a worker sees of a request. */
export type Asked = {
  /** After the stream's transform: without the lane's prefix. */
  readonly subject: string;
  readonly msgId: string;
  /** When the stream took it, in ms since the epoch by the server's clock. */
  readonly storedAt: number;
  readonly header: (name: string) => string;
  /** The payload as it came. */
  readonly text: string;
  readonly redelivered: boolean;
};

/** What the worker answers; nothing is an answer that never comes. */
type Answered =
  | { readonly statusCode: number; readonly body?: unknown; readonly headers?: Record<string, unknown> }
  | { readonly raw: string; readonly canonical?: boolean }
  | undefined;

export type Worker = (asked: Asked) => Answered | Promise<Answered>;

/** Stream and durable consumer of a lane. */
export async function makeLane(connection: NatsConnection, prefix: string, subjects: readonly string[]): Promise<void> {
  const jsm = await connection.jetstreamManager();
  await jsm.streams.add({
    name: prefix,
    subjects: subjects.map((subject) => `${prefix}.${subject}`),
    subject_transform: { src: `${prefix}.>`, dest: '>' },
    storage: StorageType.Memory,
    retention: RetentionPolicy.Workqueue,
    no_ack: true,
    max_age: nanos(120_000),
    duplicate_window: nanos(100),
    max_bytes: 64 * 1024 * 1024,
    discard: DiscardPolicy.Old,
    num_replicas: 1,
  });
  await jsm.consumers.add(prefix, {
    durable_name: `${prefix}-rating`,
    filter_subjects: [...subjects],
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(10_000),
    max_deliver: 5,
    max_ack_pending: 256,
  });
}

/** A worker that is nothing but its answers. */
export interface RunningWorker extends AsyncDisposable {
  answer: Worker;
}

/** Makes the lane and pulls from it until it is disposed. */
export async function startWorker(
  url: string,
  prefix: string,
  subjects: readonly string[],
  answer: Worker,
): Promise<RunningWorker> {
  const connection = await connect({ servers: url, reconnect: false });
  await makeLane(connection, prefix, subjects);
  const consumer = await connection.jetstream().consumers.get(prefix, `${prefix}-rating`);
  const messages = await consumer.consume({ max_messages: 100 });
  const worker: RunningWorker = {
    answer,
    async [Symbol.asyncDispose]() {
      await messages.close();
      await connection.close();
    },
  };
  void (async () => {
    for await (const message of messages) void work(connection, message, worker);
  })();
  return worker;
}

async function work(connection: NatsConnection, message: JsMsg, worker: RunningWorker): Promise<void> {
  const text = message.string();
  const answered = await worker.answer({
    subject: message.subject,
    msgId: message.headers?.get('Nats-Msg-Id') ?? '',
    storedAt: message.info.timestampNanos / 1_000_000,
    header: (name) => message.headers?.get(name) ?? '',
    text,
    redelivered: message.redelivered,
  });
  message.ack();
  if (answered === undefined) return;
  const { originReplyTo } = JSON.parse(text) as { originReplyTo: string };
  const marks = headers();
  if ('canonical' in answered) marks.set('Rating-Canonical', '1');
  connection.publish(originReplyTo, 'raw' in answered ? answered.raw : JSON.stringify({ headers: {}, ...answered }), {
    headers: marks,
  });
}

/** Waits for a condition, with a deadline. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Cannot go on as it took more than ${deadlineMs} ms: ${what}`);
    await sleep(10);
  }
}
