import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  type ConsumerInfo,
  connect,
  DiscardPolicy,
  headers,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';

const subjects = ['ratings', 'users', 'services'].flatMap((noun) => [`get.${noun}`, `post.${noun}`]);
/** `get.planets` is one that the lane carries and nobody answers. */
const carried = [...subjects, 'delete.ratings', 'get.planets'];

export type Answer = { readonly statusCode: number; readonly body: Readonly<Record<string, unknown>> };

export type Question = {
  readonly lane?: 'blue' | 'green';
  readonly id?: string;
  readonly body?: unknown;
  readonly query?: unknown;
  /** Instead of an envelope. */
  readonly payload?: string;
};

/** Both lanes of an app on a NATS of the test, and a proxy's side of them. */
export interface Lanes extends AsyncDisposable {
  /** Publishes as a proxy does. Resolves when the answer comes, however late. */
  ask(subject: string, question?: Question): Promise<Answer>;
  /** Every answer that ever came to the id. */
  answersTo(id: string): readonly Answer[];
  consumer(lane: 'blue' | 'green'): Promise<ConsumerInfo>;
  putSources(lane: 'blue' | 'green', streams: readonly string[]): Promise<void>;
}

export async function openLanes(
  url: string,
  app: string,
  { ackWaitMs = 10_000 }: { readonly ackWaitMs?: number } = {},
): Promise<Lanes> {
  const connection = await connect({ servers: url, reconnect: false });
  const jsm = await connection.jetstreamManager();
  for (const stream of [`${app}-blue`, `${app}-green`]) {
    await jsm.streams.add({
      name: stream,
      subjects: carried.map((subject) => `${stream}.${subject}`),
      subject_transform: { src: `${stream}.>`, dest: '>' },
      storage: StorageType.Memory,
      retention: RetentionPolicy.Workqueue,
      no_ack: true,
      max_age: nanos(120_000),
      duplicate_window: nanos(100),
      discard: DiscardPolicy.Old,
    });
    await jsm.consumers.add(stream, {
      durable_name: `${stream}-rating`,
      filter_subjects: carried,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWaitMs),
      max_deliver: 5,
      max_ack_pending: 256,
    });
  }
  const answers = new Map<string, Answer[]>();
  const waiting = new Map<string, (answer: Answer) => void>();
  const inbox = `_INBOX.test-${app}`;
  connection.subscribe(`${inbox}.*`, {
    callback: (_error, message) => {
      const answer = JSON.parse(message.string()) as Answer;
      answers.set(message.subject, [...(answers.get(message.subject) ?? []), answer]);
      waiting.get(message.subject)?.(answer);
    },
  });
  let count = 0;
  const asked = new Map<string, string[]>();
  return {
    ask(subject, { lane = 'blue', id = `${app}-${++count}`, body = {}, query = {}, payload } = {}) {
      const replyTo = `${inbox}.${++count}`;
      asked.set(id, [...(asked.get(id) ?? []), replyTo]);
      const marks = headers();
      marks.set('Nats-Msg-Id', id);
      const envelope = { body, headers: {}, originReplyTo: replyTo, queryParameters: query };
      const got = new Promise<Answer>((resolve) => waiting.set(replyTo, resolve));
      connection.publish(`${app}-${lane}.${subject}`, payload ?? JSON.stringify(envelope), {
        reply: replyTo,
        headers: marks,
      });
      return got;
    },
    answersTo: (id) => (asked.get(id) ?? []).flatMap((replyTo) => answers.get(replyTo) ?? []),
    consumer: (lane) => jsm.consumers.info(`${app}-${lane}`, `${app}-${lane}-rating`),
    async putSources(lane, streams) {
      const bucket = await connection.jetstream().views.kv('headgate');
      await bucket.put(`sources.${app}.${lane}`, JSON.stringify(streams));
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
    },
  };
}

/** Waits for a condition, with a deadline. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Cannot go on as it took more than ${deadlineMs} ms: ${what}`);
    await sleep(10);
  }
}
