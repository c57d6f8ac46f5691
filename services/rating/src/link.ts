import { setTimeout as sleep } from 'node:timers/promises';
import { connect, DebugEvents, Events, type NatsConnection } from 'nats';
import type { NatsConfig } from './config.ts';
import { type Log, sparing, wordsOf } from './log.ts';
import type { Presence } from './presence.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_WAIT_MS = 250;
/** Two missed pings end a connection that only looks alive. */
const PING_MS = 5_000;
/** Error reports of the server, such as a refused subject, may come with every message. */
const ERROR_LOG_MS = 10_000;

export type LinkOptions = { readonly log: Log; readonly presence: Presence; readonly signal: AbortSignal };

/**
 * Connects to NATS, however long it takes, and keeps `presence` right from then on. The client connects again by itself for as long
 * as the process lives. `undefined` if `signal` aborts first.
 */
export async function openLink(config: NatsConfig, options: LinkOptions): Promise<NatsConnection | undefined> {
  const { log, presence, signal } = options;
  const logError = sparing(log, ERROR_LOG_MS);
  while (!signal.aborted) {
    try {
      const connection = await connectOnce(config);
      presence.up();
      log('nats-up', { server: connection.getServer() });
      void watch(connection, { log, logError, presence });
      return connection;
    } catch (error) {
      logError('nats-error', { error: wordsOf(error) });
      await sleep(RECONNECT_WAIT_MS, undefined, { signal }).catch(() => {}); // Aborted: the loop's condition ends it.
    }
  }
  return undefined;
}

function connectOnce({ servers, credentials, inboxPrefix }: NatsConfig): Promise<NatsConnection> {
  return connect({
    servers: [...servers],
    ...credentials,
    inboxPrefix,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    pingInterval: PING_MS,
    ignoreAuthErrorAbort: true, // Rights may be repaired while we run; until then we are down and say so.
  });
}

async function watch(
  connection: NatsConnection,
  { log, logError, presence }: { log: Log; logError: Log; presence: Presence },
): Promise<void> {
  for await (const { type, data } of connection.status()) {
    if (type === Events.Disconnect || type === DebugEvents.StaleConnection) {
      presence.down();
      log('nats-down');
    } else if (type === Events.Reconnect) {
      presence.up();
      log('nats-up', { server: connection.getServer() });
    } else if (type === Events.Error) {
      logError('nats-error', { error: wordsOf(data) });
    }
  }
}
