import { setTimeout as sleep } from 'node:timers/promises';
import { connect, DebugEvents, Events, type Msg, type NatsConnection } from 'nats';
import type { NatsConfig } from './config.ts';
import type { Log } from './log.ts';
import type { Message } from './message.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 250;
/** Two missed pings end a connection that only looks alive. */
const PING_MS = 5_000;
/** Error reports of the server, such as a refused subject, are logged at most this often: they may come per request. */
const ERROR_LOG_MS = 10_000;

/** The connection to NATS, made again for as long as the process lives. */
export class Link {
  #connection: NatsConnection | undefined;
  #up = false;
  #downSince: number | undefined = performance.now();
  #everUp = false;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Largest message, headers included, by the server's own word; `undefined` while there is no connection. */
  get messageMaxBytes(): number | undefined {
    return this.#up ? this.#connection?.info?.max_payload : undefined;
  }

  get everUp(): boolean {
    return this.#everUp;
  }

  /** Milliseconds without NATS until `now`, 0 while connected. */
  downMs(now: number): number {
    return this.#downSince === undefined ? 0 : now - this.#downSince;
  }

  /** Puts a message into the client's buffer. False: it did not go out, as NATS is gone or has lowered its limit just now. */
  publish({ subject, replyTo, headers, data }: Message): boolean {
    if (this.messageMaxBytes === undefined) return false;
    try {
      this.#connection?.publish(subject, data, { reply: replyTo, headers });
      return true;
    } catch (error) {
      this.#logError(error);
      return false;
    }
  }

  /** Connects, subscribes `inbox`, and starts anew whenever the client gives up. Ends when `signal` aborts. */
  async keep(config: NatsConfig, inbox: string, receive: (message: Msg) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const connection = await this.#connect(config);
      if (connection === undefined) {
        await sleep(RECONNECT_WAIT_MS, undefined, { signal }).catch(() => {}); // Aborted: the loop's condition ends it.
        continue;
      }
      if (signal.aborted) return void (await connection.close());
      connection.subscribe(inbox, { callback: (error, message) => this.#received(error, message, receive) });
      this.#connection = connection;
      this.#rise(connection.getServer());
      const closed = connection.closed();
      void this.#watch(connection);
      await closed;
      this.#fall();
    }
  }

  /** Sends what is buffered, then closes. */
  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #connect({ servers, credentials }: NatsConfig): Promise<NatsConnection | undefined> {
    try {
      return await connect({
        servers: [...servers],
        ...credentials,
        timeout: CONNECT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_WAIT_MS,
        pingInterval: PING_MS,
        ignoreAuthErrorAbort: true, // Rights may be repaired while we run; until then we are down and say so.
      });
    } catch (error) {
      this.#logError(error);
      return undefined;
    }
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect || type === DebugEvents.StaleConnection) this.#fall();
      else if (type === Events.Reconnect) this.#rise(connection.getServer());
      else if (type === Events.Error) this.#logError(data);
    }
  }

  #received(error: unknown, message: Msg, receive: (message: Msg) => void): void {
    if (error === null) receive(message);
    else this.#logError(error);
  }

  #rise(server: string): void {
    this.#up = true;
    this.#everUp = true;
    this.#downSince = undefined;
    this.#log('nats-up', { server });
  }

  #fall(): void {
    if (this.#up) this.#log('nats-down');
    this.#up = false;
    this.#downSince ??= performance.now();
  }

  #errorLoggedAt = Number.NEGATIVE_INFINITY;

  #logError(error: unknown): void {
    const now = performance.now();
    if (now - this.#errorLoggedAt < ERROR_LOG_MS) return;
    this.#errorLoggedAt = now;
    this.#log('nats-error', { error: error instanceof Error ? error.message : String(error) });
  }
}
