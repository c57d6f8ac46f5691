import { randomUUID } from 'node:crypto';
import { Agent, type ClientRequestArgs, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { urlToHttpOptions } from 'node:url';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One request that a client outside sent, and what it heard. */
export type Exchange = {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  /** When it should have been sent, in ms since the epoch. Latency counts from here: a stall of the server cannot hide. */
  readonly at: number;
  readonly ms: number;
  /** `undefined`: no answer. */
  readonly status: number | undefined;
  /** The lane mark of the answer, `undefined` when it had none. */
  readonly lane: string | undefined;
  readonly revision: string | undefined;
  readonly error: string | undefined;
};

export type OpenLoop = {
  /** Where requests go, e.g. `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly perSecond: number;
  /** What the n-th request is; every second one is a POST. */
  readonly make: (
    n: number,
    id: string,
  ) => { readonly method: Method; readonly path: string; readonly body: string | undefined };
  /** No answer after so long counts as none (default 6,000). */
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Requests under way. */
export interface Load {
  /** Those that have ended so far, in the order in which they ended. */
  readonly exchanges: readonly Exchange[];
  /** Longest time that the sender itself did not get to run, beyond what it asked for: no server is to blame for that. */
  longestPauseMs(): number;
  /** Sends no more, waits for what is under way, and answers all. */
  stop(): Promise<readonly Exchange[]>;
}

/** How often the sender looks what is due. */
const tickMs = 1;

/** Milliseconds since the epoch, with their fractions: an answer may take less than one. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Open loop: the n-th request goes out at n / rate, however slow the answers are. Unique ids, no retries; every fourth
 * request opens a connection of its own, the others share kept ones.
 */
export function startLoad(loop: OpenLoop): Load {
  const exchanges: Exchange[] = [];
  const place = placeOf(loop.origin);
  const kept = new Agent({ keepAlive: true, maxSockets: 256 });
  const fresh = new Agent({ keepAlive: false });
  const inFlight = new Set<Promise<void>>();
  const stopped = new AbortController();
  const started = nowMs();

  let longestPauseMs = 0;

  async function sendDue(): Promise<void> {
    for (let n = 0, last = started; !stopped.signal.aborted; ) {
      const due = ((nowMs() - started) / 1_000) * loop.perSecond;
      for (; n < due; n++) {
        const at = started + (n / loop.perSecond) * 1_000;
        const sent: Promise<void> = exchange(loop, { n, at, place, agent: n % 4 === 0 ? fresh : kept }).then(
          (ended) => {
            exchanges.push(ended);
            inFlight.delete(sent);
          },
        );
        inFlight.add(sent);
      }
      await sleep(tickMs);
      longestPauseMs = Math.max(longestPauseMs, nowMs() - last - tickMs);
      last = nowMs();
    }
  }
  const sending = sendDue();

  return {
    exchanges,
    longestPauseMs: () => longestPauseMs,
    async stop() {
      stopped.abort();
      await sending;
      await Promise.all(inFlight);
      kept.destroy();
      fresh.destroy();
      return exchanges;
    },
  };
}

/** Read once for all requests: what the sender does for each is time that the servers lack. */
function placeOf(origin: string): Place {
  const url = new URL(origin);
  const { hostname, port } = urlToHttpOptions(url);
  return { hostname, port, prefix: url.pathname === '/' ? '' : url.pathname };
}

type Place = Pick<ClientRequestArgs, 'hostname' | 'port'> & { readonly prefix: string };

type Sending = {
  readonly n: number;
  readonly at: number;
  readonly place: Place;
  readonly agent: Agent;
};

/** Never rejects: an error is what the client heard. */
function exchange(loop: OpenLoop, { n, at, place, agent }: Sending): Promise<Exchange> {
  const id = randomUUID();
  const { method, path, body } = loop.make(n, id);
  const headers = {
    'x-request-id': id,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...loop.headers,
  };
  const { prefix, ...where } = place;
  const timeoutMs = loop.timeoutMs ?? 6_000;
  return new Promise((resolve) => {
    const sent = request({ ...where, path: `${prefix}${path}`, method, headers, agent });
    // Not a signal: thousands of those make the collector of garbage stop the sender for 20 ms and more.
    const late = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const end = (answer: IncomingMessage | undefined, error: string | undefined) => {
      clearTimeout(late);
      const header = (name: string) => answer?.headers[name]?.toString();
      resolve({
        id,
        method,
        path,
        at,
        ms: nowMs() - at,
        status: answer?.statusCode,
        lane: header('headgate-lane'),
        revision: header('headgate-revision'),
        error,
      });
    };
    sent.on('response', (answer) => {
      answer.on('error', (error) => end(undefined, error.message));
      answer.on('end', () => end(answer, undefined));
      answer.resume();
    });
    sent.on('error', (error) => end(undefined, error.message));
    sent.end(body);
  });
}
