import type { Msg, NatsConnection } from 'nats';
import type { Lane } from '../lane.ts';
import { publishRequest, pull } from './jetstream.rig.ts';
import { consumerPath, laneOfStream, type QueueApp, sourcesSubject } from './names.ts';

/** A worker as the queue's users write it: it pulls from the streams that its lane's source list names, and answers. */
export interface WorkerRig {
  /** Gives up parked pulls and finishes what it has. */
  stop(): Promise<void>;
  readonly sources: readonly Lane[];
}

export type Work = QueueApp & { readonly lane: Lane; readonly service: string };

const parallelism = 4;

export async function startWorker(
  nats: NatsConnection,
  work: Work,
  handle: (id: string, subject: string) => Promise<void>,
): Promise<WorkerRig> {
  const { app, lane, service } = work;
  const stopping = new AbortController();
  const loops = new Map<Lane, { readonly stop: AbortController; readonly ended: Promise<unknown> }>();
  const serve = async (source: Lane, signal: AbortSignal): Promise<void> => {
    const path = consumerPath(work, source, service);
    while (!signal.aborted) {
      const message = await pull(nats, path, 5_000, signal);
      if (message !== undefined) await answer(nats, message, handle);
    }
  };
  const follow = (sources: readonly Lane[]): void => {
    for (const [source, { stop }] of loops) if (!sources.includes(source)) stop.abort();
    for (const source of sources) {
      if (stopping.signal.aborted || loops.get(source)?.stop.signal.aborted === false) continue;
      const stop = new AbortController();
      const ended = Promise.all(Array.from({ length: parallelism }, () => serve(source, stop.signal)));
      loops.set(source, { stop, ended });
    }
  };
  const heard = nats.subscribe(sourcesSubject(app, lane)); // Before reading, or a put in between would be missed.
  void (async () => {
    for await (const message of heard) follow(parse(work, message.string()));
  })();
  const now = await nats.request(`$JS.API.DIRECT.GET.KV_headgate.${sourcesSubject(app, lane)}`);
  follow(now.headers?.code === 404 ? [lane] : parse(work, now.string()));
  return {
    get sources() {
      return [...loops].filter(([, { stop }]) => !stop.signal.aborted).map(([source]) => source);
    },
    async stop() {
      heard.unsubscribe();
      stopping.abort();
      for (const { stop } of loops.values()) stop.abort();
      await Promise.all([...loops.values()].map(({ ended }) => ended));
      await nats.flush();
    },
  };
}

async function answer(
  nats: NatsConnection,
  message: Msg,
  handle: (id: string, subject: string) => Promise<void>,
): Promise<void> {
  const { originReplyTo } = message.json<{ originReplyTo: string }>();
  await handle(message.headers?.get('Nats-Msg-Id') ?? '', message.subject);
  nats.publish(originReplyTo, JSON.stringify({ headers: {}, body: {}, statusCode: 200 }));
  message.respond('+ACK');
}

function parse(app: QueueApp, text: string): readonly Lane[] {
  return (JSON.parse(text) as string[]).map((stream) => laneOfStream(app, stream)!);
}

/** Proxies and their clients: counts the answers of every request. */
export interface ClientRig {
  send(lane: Lane, ids: readonly string[], subject?: string): void;
  /** Status codes that came back, by request id, in the order they came. */
  readonly answers: ReadonlyMap<string, readonly number[]>;
}

export function openClient(nats: NatsConnection, queue: QueueApp): ClientRig {
  const answers = new Map<string, readonly number[]>();
  const inbox = `_INBOX.client-${queue.app}`;
  nats.subscribe(`${inbox}.*`, {
    callback: (_error, message) => {
      const id = message.subject.slice(inbox.length + 1);
      answers.set(id, [...(answers.get(id) ?? []), message.json<{ statusCode: number }>().statusCode]);
    },
  });
  return {
    answers,
    send(lane, ids, subject = 'get.ratings') {
      for (const id of ids) publishRequest(nats, { ...queue, lane, id, subject, inbox: `${inbox}.${id}` });
    },
  };
}
