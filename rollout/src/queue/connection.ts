import { connect, ErrorCode, type Msg, type MsgHdrs, type NatsConnection, NatsError } from 'nats';
import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import { inboxPrefix } from './names.ts';

/** Every single question to the server. */
const deadlineMs = 2_000;

/** Pause, transforms and a cheap INFO came with it. */
const oldestServer = { major: 2, minor: 11 };

/** What this room needs of NATS: questions with an answer, and publishes that are known to have reached the server. */
export interface Connection extends AsyncDisposable {
  /**
   * @throws {HeadgateError} `QUEUE_UNREACHABLE` after 2 s without an answer, `SERVER_VERSION` for a server older than 2.11
   */
  request(subject: string, payload: string | Uint8Array, signal: AbortSignal, headers?: MsgHdrs): Promise<Msg>;
  /** Resolves when the server has it. @throws {HeadgateError} as `request` */
  send(subject: string, payload: string, signal: AbortSignal): Promise<void>;
}

/** A url, or how to find it: asked at each connecting, for a Service may be made anew at another address. */
export type Address = string | (() => Promise<string>);

/**
 * Connects when it is first asked, and again when it is asked after the connection was lost. It never buffers: what
 * could not be sent in time is not sent later, when somebody may have decided otherwise.
 * A url may carry `user:password@`.
 */
export function openConnection(app: string, address: Address): Connection {
  return new ConnectionOnDemand(app, address);
}

class ConnectionOnDemand implements Connection {
  readonly #app: string;
  readonly #address: Address;
  #current: Promise<NatsConnection> | undefined;

  constructor(app: string, address: Address) {
    this.#app = app;
    this.#address = address;
  }

  async request(subject: string, payload: string | Uint8Array, signal: AbortSignal, headers?: MsgHdrs): Promise<Msg> {
    return this.#inTime(`ask ${subject}`, signal, (nats) =>
      nats.request(subject, payload, { timeout: deadlineMs, ...(headers === undefined ? {} : { headers }) }),
    );
  }

  async send(subject: string, payload: string, signal: AbortSignal): Promise<void> {
    await this.#inTime(`publish to ${subject}`, signal, async (nats) => {
      nats.publish(subject, payload);
      await nats.flush();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const nats = await this.#current?.catch(() => undefined);
    await nats?.close();
  }

  async #inTime<T>(what: string, signal: AbortSignal, act: (nats: NatsConnection) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const limited = withDeadline(signal, deadlineMs);
    try {
      const acted = this.#connected().then((nats) => {
        limited.throwIfAborted(); // It may have taken too long to connect.
        return act(nats);
      });
      return await orAborted(acted, limited);
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof HeadgateError) throw cause;
      const why = limited.aborted ? `no answer within ${deadlineMs} ms` : reasonOf(cause);
      throw new HeadgateError('QUEUE_UNREACHABLE', `Cannot ${what} as NATS must answer: current value is "${why}"`, {
        hint: `see whether NATS${typeof this.#address === 'string' ? ` at ${new URL(this.#address).host}` : ''} runs with JetStream (-js), and run \`headgate bootstrap\``,
        cause,
      });
    }
  }

  #connected(): Promise<NatsConnection> {
    this.#current ??= this.#connect().catch((error: unknown) => {
      this.#current = undefined;
      throw error;
    });
    return this.#current;
  }

  async #connect(): Promise<NatsConnection> {
    const url = new URL(typeof this.#address === 'string' ? this.#address : await this.#address());
    const user = decodeURIComponent(url.username);
    const nats = await connect({
      servers: url.host,
      name: `headgate ${this.#app}`,
      ...(user === '' ? {} : { user, pass: decodeURIComponent(url.password) }),
      inboxPrefix: inboxPrefix(this.#app, user === '' ? 'controller' : user),
      timeout: deadlineMs,
      reconnect: false, // The next question connects again, without what was left of the last one.
      pingInterval: 5_000,
    });
    void nats.closed().then(() => {
      this.#current = undefined;
    });
    try {
      refuseOldServer(nats.info?.version ?? 'unknown');
    } catch (error) {
      await nats.close();
      throw error;
    }
    return nats;
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof NatsError)) return String(cause);
  if (cause.code === ErrorCode.NoResponders) return 'nobody listens there: no such stream, or no JetStream';
  return cause.message;
}

/** @throws {HeadgateError} `SERVER_VERSION` if `version` is older than 2.11 or no version */
export function refuseOldServer(version: string): void {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)\./.exec(version) ?? []).map(Number);
  const { major: oldestMajor, minor: oldestMinor } = oldestServer;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new HeadgateError(
    'SERVER_VERSION',
    `Cannot use this nats-server as it must be ${oldestMajor}.${oldestMinor} or newer: current value is "${version}"`,
    { hint: 'upgrade nats-server' },
  );
}

/** The abort wins even if `work` never ends; what comes of `work` afterwards is nobody's business. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
