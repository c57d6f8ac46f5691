import { connect, headers, type Msg, type NatsConnection } from 'nats';
import type { Lane } from '../lane.ts';
import { type RunningServer, startNats } from '../platform/local/servers/index.ts';
import { bootstrap } from './bootstrap.ts';
import { openConnection } from './connection.ts';
import type { QueueServices } from './description.ts';
import { openJetStreamQueue } from './jetstream.ts';
import { consumerName, deadLetterStream, deadLetterSubject, streamName, subjectPrefix } from './names.ts';
import { contractServices, type QueueRig, type Taken } from './queue.contract.ts';

let apps = 0;

/** A server with the streams and consumers of as many apps as a test file asks for. */
export interface NatsRig extends AsyncDisposable {
  readonly server: RunningServer;
  readonly nats: NatsConnection;
  /** Makes the queue of an app that nobody used before, and gives its name. */
  freshApp(services: QueueServices): Promise<string>;
}

export async function startNatsRig(): Promise<NatsRig> {
  const server = await startNats();
  const nats = await connect({ servers: server.url });
  return {
    server,
    nats,
    async freshApp(services) {
      apps += 1;
      const app = `app${apps}`;
      await makeQueue(server.url, app, services);
      return app;
    },
    async [Symbol.asyncDispose]() {
      await nats.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export async function makeQueue(url: string, app: string, services: QueueServices) {
  await using connection = openConnection(app, url);
  return await bootstrap(connection, { app, services }, AbortSignal.timeout(10_000));
}

/** The contract's hands on a real server. */
export async function openContractRig({ server, nats, freshApp }: NatsRig): Promise<QueueRig> {
  const app = await freshApp(contractServices);
  const queue = openJetStreamQueue({ app, services: contractServices, url: server.url });
  return {
    queue,
    async publish(lane, { id, subject }) {
      publishRequest(nats, { app, lane, id, subject, inbox: '_INBOX.nobody' });
      await nats.flush();
    },
    async take(lane, service, withinMs) {
      const message = await pull(nats, `${streamName(app, lane)}.${consumerName(app, lane, service)}`, withinMs);
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

/** As the proxy does it: the inbox stands in the payload and in the reply subject. */
export function publishRequest(
  nats: NatsConnection,
  { app, lane, id, subject, inbox }: { app: string; lane: Lane; id: string; subject: string; inbox: string },
): void {
  const head = headers();
  head.set('Nats-Msg-Id', id);
  const payload = { body: {}, headers: {}, originReplyTo: inbox, queryParameters: {} };
  nats.publish(`${subjectPrefix(app, lane)}.${subject}`, JSON.stringify(payload), { headers: head, reply: inbox });
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
