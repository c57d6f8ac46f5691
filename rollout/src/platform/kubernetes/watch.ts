import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject, Listed } from './client.ts';
import { type Reply, refused } from './refused.ts';

/**
 * `all`: everything that is there now; what the reader knew before and does not find here is gone. Comes first, and again after every
 * gap. `blind`: nothing is heard any more, for this reason; comes again when it is another one.
 */
export type Change<T> =
  | { readonly kind: 'all'; readonly objects: readonly T[] }
  | { readonly kind: 'set'; readonly object: T }
  | { readonly kind: 'gone'; readonly object: T }
  | { readonly kind: 'blind'; readonly why: string };

export type Source<T> = {
  list(): Promise<Listed<T>>;
  /** Changes after this version, one JSON text a line. */
  open(version: string): Promise<IncomingMessage>;
  readonly doing: string;
};

/** The server sends a bookmark a minute when nothing happens: longer silence is a dead connection. */
const silenceMsMax = 90_000;
const pauseMsMin = 100;
const pauseMsMax = 2_000;
/** A watch that lasted this long was a good one. */
const steadyMs = 10_000;

/**
 * Everything is tried again until `signal` aborts. A no of the server too: rights that are being given, a hook that does not answer and a
 * kind whose definition comes later all pass, and who stops to listen hears of none of it.
 */
export async function* watchObjects<T extends KubeObject>(
  source: Source<T>,
  signal: AbortSignal,
): AsyncGenerator<Change<T>, void> {
  for (let blind = '', pauseMs = pauseMsMin; !signal.aborted; ) {
    const begun = performance.now();
    try {
      const { items, resourceVersion } = await source.list();
      blind = '';
      yield { kind: 'all', objects: items };
      yield* follow(source, resourceVersion, signal);
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      if (why !== blind) yield { kind: 'blind', why };
      blind = why;
    }
    // After an ERROR of the server's too: one that comes at once again would have everything listed as fast as it answers.
    pauseMs = performance.now() - begun > steadyMs ? pauseMsMin : Math.min(pauseMs * 2, pauseMsMax);
    await pause(pauseMs, signal);
  }
}

type Event<T> = { readonly type: string; readonly object: T };

/** Until the server no longer knows the version reached, when all must be listed again. */
async function* follow<T extends KubeObject>(
  source: Source<T>,
  from: string,
  signal: AbortSignal,
): AsyncGenerator<Change<T>, void> {
  for (let version = from; !signal.aborted; await pause(pauseMsMin, signal)) {
    for await (const { type, object } of eventsAfter(version, source, signal)) {
      if (type === 'ERROR') return; // Mostly "too old"; whatever it is, a list shows whether it lasts.
      version = object.metadata.resourceVersion ?? version;
      if (type !== 'BOOKMARK') yield { kind: type === 'DELETED' ? 'gone' : 'set', object };
    }
  }
}

async function* eventsAfter<T>(
  version: string,
  source: Source<T>,
  signal: AbortSignal,
): AsyncGenerator<Event<T>, void> {
  const reply = await source.open(version);
  if (reply.statusCode !== 200 && reply.statusCode !== 410) throw refused(source.doing, await replyOf(reply));
  for await (const line of linesOf(reply, signal)) {
    yield reply.statusCode === 410 ? { type: 'ERROR', object: JSON.parse(line) } : JSON.parse(line);
  }
}

async function* linesOf(reply: IncomingMessage, signal: AbortSignal): AsyncGenerator<string, void> {
  const abort = () => reply.destroy(new Error('told to stop'));
  signal.addEventListener('abort', abort, { once: true });
  reply.setTimeout(silenceMsMax, () => reply.destroy(new Error(`nothing was heard for ${silenceMsMax / 1_000} s`)));
  try {
    let begun = '';
    for await (const chunk of reply.setEncoding('utf8')) {
      const lines = (begun + chunk).split('\n');
      begun = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    reply.destroy();
  }
}

async function replyOf(reply: IncomingMessage): Promise<Reply> {
  let text = '';
  for await (const chunk of reply.setEncoding('utf8')) text = (text + chunk).slice(0, 4_000);
  return { status: reply.statusCode ?? 0, text };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => {}); // Who aborts ends the loop around it.
}
