import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { firstOf } from '../../deadline.ts';
import type { Access, ReadAccess } from './access.ts';
import { type Reply, silent } from './refused.ts';

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  /** In words, for errors: `get configmap demo/x`. */
  readonly doing: string;
  readonly accept?: string;
  /** Besides those of who we are. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly type: string; readonly text: string };
};

/** Sends requests to one API server over connections that stay open. */
export interface Transport extends Disposable {
  /** Answers whatever the status is. @throws {HeadgateError} `CLUSTER_UNREACHABLE` when nothing comes in time; what aborts `signal` passes. */
  send(call: Call, signal: AbortSignal): Promise<Reply>;
  /** Hands over a reply whose body goes on, as watches and logs do. Its beginning has the usual deadline, its end has none. */
  open(call: Call, signal: AbortSignal): Promise<IncomingMessage>;
}

export type Deadlines = { readonly requestMs: number; readonly accessMs: number };

const usualDeadlines: Deadlines = { requestMs: 10_000, accessMs: 60_000 };

const bodyBytesMax = 64_000_000;

export function openTransport(read: ReadAccess, deadlines: Deadlines = usualDeadlines): Transport {
  const keys = new KeyRing(read, deadlines.accessMs);

  async function begin(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(deadlines.requestMs);
    try {
      const first = await once(call, await keys.get(), firstOf([signal, deadline]));
      if (first.statusCode !== 401) return first;
      first.resume(); // Nothing was done: the token may just have run out.
      return await once(call, await keys.renew(), firstOf([signal, deadline]));
    } catch (error) {
      throw toReport(call, error, signal);
    }
  }

  return {
    async send(call, signal) {
      const deadline = AbortSignal.timeout(deadlines.requestMs);
      const reply = await begin(call, signal);
      try {
        return { status: reply.statusCode ?? 0, text: await textOf(reply, firstOf([signal, deadline])) };
      } catch (error) {
        throw toReport(call, error, signal);
      }
    },
    open: begin,
    [Symbol.dispose]: () => keys.close(),
  };
}

type Keys = { readonly access: Access; readonly agent: HttpAgent; readonly readAt: number };

/** Credentials and the connections made with them. Connections stay when only the token has changed. */
class KeyRing {
  readonly #read: ReadAccess;
  readonly #freshMs: number;
  #keys: Promise<Keys> | undefined;

  constructor(read: ReadAccess, freshMs: number) {
    this.#read = read;
    this.#freshMs = freshMs;
  }

  async get(): Promise<Keys> {
    const known = await this.#keys?.catch(() => undefined); // A failure to read them is not kept.
    return known !== undefined && performance.now() - known.readAt < this.#freshMs ? known : this.renew();
  }

  renew(): Promise<Keys> {
    const before = this.#keys;
    this.#keys = this.#make(before);
    return this.#keys;
  }

  async #make(before: Promise<Keys> | undefined): Promise<Keys> {
    const old = await before?.catch(() => undefined);
    const access = await this.#read();
    const same = old !== undefined && samePlace(old.access, access);
    if (!same) old?.agent.destroy();
    return { access, agent: same ? old.agent : agentFor(access), readAt: performance.now() };
  }

  close(): void {
    void this.#keys?.then(
      ({ agent }) => agent.destroy(),
      () => {}, // Without keys there is no connection.
    );
  }
}

function samePlace(a: Access, b: Access): boolean {
  return a.server === b.server && a.through === b.through && JSON.stringify(a.tls) === JSON.stringify(b.tls);
}

function agentFor({ server, tls, through }: Access): HttpAgent {
  if (through !== undefined) return through;
  if (server.startsWith('http:')) return new HttpAgent({ keepAlive: true });
  // Named here, or a host header that is for what stands behind the API server would be looked for in its certificate.
  const { hostname } = new URL(server);
  const servername = tls.servername ?? (isIP(hostname.replace(/[[\]]/g, '')) === 0 ? hostname : '');
  return new HttpsAgent({ keepAlive: true, ...tls, servername });
}

function once(call: Call, { access, agent }: Keys, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(access.server.replace(/\/$/, '') + call.path);
    const headers = {
      ...call.headers,
      ...access.headers,
      accept: call.accept ?? 'application/json',
      'user-agent': 'headgate',
      ...(call.body === undefined
        ? {}
        : { 'content-type': call.body.type, 'content-length': Buffer.byteLength(call.body.text) }),
    };
    const request = (url.protocol === 'http:' ? requestHttp : requestHttps)(url, {
      method: call.method,
      headers,
      agent,
    });
    const abort = () => request.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    request.once('response', (reply) => {
      signal.removeEventListener('abort', abort);
      resolve(reply);
    });
    request.once('error', (error) => {
      signal.removeEventListener('abort', abort);
      if (neverArrived(request, error) && !signal.aborted)
        once(call, { access, agent, readAt: 0 }, signal).then(resolve, reject);
      else reject(error);
    });
    request.end(call.body?.text);
  });
}

/** An idle connection that the server had closed, as at its restart. If the request met somebody after all: every write may be repeated. */
function neverArrived(request: ClientRequest, error: unknown): boolean {
  return request.reusedSocket && (error as { code?: unknown }).code === 'ECONNRESET';
}

async function textOf(reply: IncomingMessage, signal: AbortSignal): Promise<string> {
  const abort = () => reply.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of reply as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) throw new RangeError(`the reply is longer than ${bodyBytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function toReport({ doing }: Call, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason; // Who aborted knows why.
  return (error as { code?: unknown }).code === 'CLUSTER_UNREACHABLE' ? error : silent(doing, error);
}
