import { readFile } from 'node:fs/promises';
import { expect } from '@jest/globals';
import { AckPolicy, connect, headers, type Msg, type NatsConnection, RetentionPolicy, StorageType } from 'nats';
import { type Lane, lanes } from '../lane.ts';
import { type RunningServer, startNats } from '../platform/local/servers/index.ts';
import type { ExistingQueue } from '../spec.ts';
import { bootstrap } from './bootstrap.ts';
import { openConnection } from './connection.ts';
import type { QueueServices } from './description.ts';
import { openJetStreamQueue } from './jetstream.ts';
import {
  consumerName,
  consumerPath,
  deadLetterStream,
  deadLetterSubject,
  type QueueApp,
  streamName,
  subjectPrefix,
} from './names.ts';
import { contractServices, type QueueRig, type Taken } from './queue.contract.ts';

let apps = 0;

/** A server with the streams and consumers of as many apps as a test file asks for. */
export interface NatsRig extends AsyncDisposable {
  readonly server: RunningServer;
  readonly nats: NatsConnection;
  /** Makes the queue of an app that nobody used before, and gives its name. */
  freshApp(services: QueueServices, existing?: ExistingQueue): Promise<string>;
}

export async function startNatsRig(): Promise<NatsRig> {
  const server = await startNats();
  const nats = await connect({ servers: server.url });
  return {
    server,
    nats,
    async freshApp(services, existing) {
      apps += 1;
      const app = `app${apps}`;
      await makeQueue(server.url, app, services, existing);
      return app;
    },
    async [Symbol.asyncDispose]() {
      await nats.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export async function makeQueue(url: string, app: string, services: QueueServices, existing?: ExistingQueue) {
  await using connection = openConnection(app, url);
  return await bootstrap(connection, { app, services, existing }, AbortSignal.timeout(10_000));
}

type Foreign = ExistingQueue &
  AsyncDisposable & {
    /** Changes the stream's config as its owner would. */
    edit(changed: Readonly<Record<string, unknown>>): Promise<void>;
  };

/** Stream and consumer of a system that never heard of Headgate: wildcards, no filter, every request kept for an hour. */
export async function makeForeign(nats: NatsConnection): Promise<Foreign> {
  const manager = await nats.jetstreamManager();
  await manager.streams.add({
    name: 'requests',
    subjects: ['*.ratings', '*.users'],
    storage: StorageType.Memory,
    retention: RetentionPolicy.Limits,
    no_ack: true,
    max_age: 3_600_000_000_000,
  });
  await manager.consumers.add('requests', {
    durable_name: 'rating-worker',
    ack_policy: AckPolicy.Explicit,
    ack_wait: 10_000_000_000,
    max_deliver: 20,
  });
  return {
    stream: 'requests',
    consumers: { rating: 'rating-worker' },
    async edit(changed) {
      const { config } = await manager.streams.info('requests');
      const answer = await nats.request('$JS.API.STREAM.UPDATE.requests', JSON.stringify({ ...config, ...changed }));
      expect(answer.json()).not.toHaveProperty('error');
    },
    async [Symbol.asyncDispose]() {
      await manager.streams.delete('requests');
    },
  };
}

/** The contract's hands on a real server. */
export async function openContractRig({ server, nats, freshApp }: NatsRig): Promise<QueueRig> {
  const app = await freshApp(contractServices);
  const queue = openJetStreamQueue({ app, services: contractServices, existing: undefined, url: server.url });
  return {
    queue,
    async publish(lane, { id, subject }) {
      publishRequest(nats, { app, lane, id, subject, inbox: '_INBOX.nobody' });
      await nats.flush();
    },
    async take(lane, service, withinMs) {
      const message = await pull(nats, consumerPath({ app, existing: undefined }, lane, service), withinMs);
      return message === undefined ? undefined : taken(nats, message);
    },
    async pass(ms) {
      await new Promise((resolve) => setTimeout(resolve, ms));
    },
    async deadLetters(lane) {
      const letters = await deadLettersOf(nats, app);
      return letters
        .filter(({ subject }) => subject === deadLetterSubject(app, lane))
        .map(({ headers: head }) => head?.get('Nats-Msg-Id').replace(/:dead$/, '') ?? '');
    },
    async setReachable(reachable) {
      process.kill(server.pid, reachable ? 'SIGCONT' : 'SIGSTOP');
      if (reachable) return;
      // On a busy machine it answers for some time more.
      const status = () => readFile(`/proc/${server.pid}/status`, 'utf8');
      while (!/^State:\s+T/m.test(await status())) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    async [Symbol.asyncDispose]() {
      process.kill(server.pid, 'SIGCONT');
      await queue[Symbol.asyncDispose]();
    },
  };
}

function taken(nats: NatsConnection, message: Msg): Taken {
  return {
    id: message.headers?.get('Nats-Msg-Id') ?? '',
    async settle(how) {
      message.respond(how === 'ack' ? '+ACK' : '-NAK');
      await nats.flush();
    },
  };
}

type Request = {
  readonly app: string;
  readonly existing?: ExistingQueue | undefined;
  readonly lane: Lane;
  readonly id: string;
  readonly subject: string;
  readonly inbox: string;
};

/** As the proxy does it: the inbox stands in the payload and in the reply subject. */
export function publishRequest(nats: NatsConnection, { app, existing, lane, id, subject, inbox }: Request): void {
  const head = headers();
  head.set('Nats-Msg-Id', id);
  const payload = { body: {}, headers: {}, originReplyTo: inbox, queryParameters: {} };
  const full = [subjectPrefix({ app, existing }, lane), subject].filter((part) => part !== '').join('.');
  nats.publish(full, JSON.stringify(payload), { headers: head, reply: inbox });
}

/** One pull request. `undefined` when the server ends it without a message; `stop` gives it up at once. */
export async function pull(
  nats: NatsConnection,
  path: string,
  expiresMs: number,
  stop = new AbortController().signal,
): Promise<Msg | undefined> {
  const inbox = `_INBOX.pull.${Math.random().toString(36).slice(2)}`;
  const subscription = nats.subscribe(inbox, { max: 1 });
  const giveUp = (): void => void subscription.drain(); // What is on its way already is still taken.
  stop.addEventListener('abort', giveUp);
  nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${path}`, JSON.stringify({ batch: 1, expires: expiresMs * 1_000_000 }), {
    reply: inbox,
  });
  try {
    for await (const message of subscription) return (message.headers?.code ?? 0) === 0 ? message : undefined;
    return undefined;
  } finally {
    stop.removeEventListener('abort', giveUp);
  }
}

/** What lies in the dead letters of an app. */
export async function deadLettersOf(nats: NatsConnection, app: string) {
  const manager = await nats.jetstreamManager();
  const { state } = await manager.streams.info(deadLetterStream(app));
  const sequences = Array.from({ length: state.messages }, (_, i) => state.first_seq + i);
  const letters = await Promise.all(sequences.map((seq) => manager.streams.getMessage(deadLetterStream(app), { seq })));
  return letters.map(({ subject, header, data }) => ({
    subject,
    headers: header,
    text: Buffer.from(data).toString('utf8'),
  }));
}

/** Config, without the server's own metadata, and birthday of every stream and consumer of the lanes. */
export async function identities(nats: NatsConnection, app: QueueApp): Promise<readonly unknown[]> {
  const manager = await nats.jetstreamManager();
  const found = await Promise.all(
    lanes.flatMap((lane) => [
      manager.streams.info(streamName(app, lane)),
      manager.consumers.info(streamName(app, lane), consumerName(app, lane, 'rating')),
    ]),
  );
  return found.map(({ config, created }) => {
    const metadata = Object.entries(config.metadata ?? {}).filter(([key]) => !key.startsWith('_nats.'));
    return { created, config: { ...config, metadata: Object.fromEntries(metadata) } };
  });
}
