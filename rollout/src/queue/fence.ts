import { setTimeout as sleep } from 'node:timers/promises';
import { demand, numberIn, objectIn, refusal, textIn } from './api.ts';
import type { Connection } from './connection.ts';
import type { Config } from './description.ts';
import type { Fenced } from './queue.ts';

/** The fence is a pause of the lane's consumers: pulls park, messages wait. */

/** A pause must be seen to end within what was asked for and this much. */
const slackMs = 1_000;

/** After so long a lifted fence lets deliveries go on. */
const liftMs = 100;

const looksMax = 10;
const lookEveryMs = 50;

/** A stream and one of its consumers, as the API's subjects name it: `ratings-blue.ratings-blue-rating`. */
type ConsumerPath = string;

/** Pauses every consumer, or none: if one pause does not end when it should, all are lifted. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export async function fenceConsumers(
  connection: Connection,
  { consumers, forMs }: { consumers: readonly ConsumerPath[]; forMs: number },
  signal: AbortSignal,
): Promise<Fenced> {
  const remainingMs = await Promise.all(consumers.map((consumer) => pause(connection, { consumer, forMs }, signal)));
  const fenced = fencedBy(forMs, remainingMs);
  if (fenced.kind === 'skipped') await unfenceConsumers(connection, consumers, signal);
  return fenced;
}

/** The server's own clock counts: a fence that ends too late would hold messages until they expire. */
export function fencedBy(forMs: number, remainingMs: readonly number[]): Fenced {
  const wrong = remainingMs.find((ms) => ms <= 0 || ms > forMs + slackMs);
  if (wrong !== undefined) {
    return { kind: 'skipped', why: `a pause of ${forMs} ms would end in ${wrong} ms by the server's clock` };
  }
  return { kind: 'fenced', remainingMs: Math.min(forMs + slackMs, ...remainingMs) };
}

/** Resolves when deliveries go on. Safe without a fence. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export async function unfenceConsumers(
  connection: Connection,
  consumers: readonly ConsumerPath[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(consumers.map((consumer) => lift(connection, consumer, signal)));
}

/** How long this consumer is still paused, by the server; 0 if it is not. */
export function pauseRemainingMs(seen: Config): number {
  return seen['paused'] === true ? numberIn(seen, 'pause_remaining') / 1_000_000 : 0;
}

/** The end is reckoned from the server's time, so that a wrong clock of ours does no harm. */
async function pause(
  connection: Connection,
  { consumer, forMs }: { consumer: ConsumerPath; forMs: number },
  signal: AbortSignal,
): Promise<number> {
  const seen = await demand(connection, `CONSUMER.INFO.${consumer}`, undefined, signal);
  const until = new Date(serverTimeMs(seen) + forMs).toISOString();
  const paused = await demand(connection, `CONSUMER.PAUSE.${consumer}`, { pause_until: until }, signal);
  return pauseRemainingMs(paused);
}

/**
 * Shortens the pause to 100 ms, waits until it is over and only then clears its end from the config. An empty resume of a
 * consumer that is still paused does not wake parked pulls (nats-server 2.15.1): their messages would wait until somebody pulls anew.
 */
async function lift(connection: Connection, consumer: ConsumerPath, signal: AbortSignal): Promise<void> {
  for (let looks = 0; looks < looksMax; looks++) {
    const seen = await demand(connection, `CONSUMER.INFO.${consumer}`, undefined, signal);
    if (textIn(objectIn(seen, 'config'), 'pause_until') === '') return;
    if (pauseRemainingMs(seen) > liftMs) await pause(connection, { consumer, forMs: liftMs }, signal);
    else if (flows(seen)) {
      await demand(connection, `CONSUMER.PAUSE.${consumer}`, undefined, signal);
      return;
    }
    await sleep(lookEveryMs, undefined, { signal });
  }
  // Still messages and pulls at once: the consumer is at max_ack_pending. The past end in its config does no harm.
}

/** The pause is over, and no parked pull waits beside a message, so none can be forgotten. */
function flows(seen: Config): boolean {
  const nobodyForgotten = numberIn(seen, 'num_pending') === 0 || numberIn(seen, 'num_waiting') === 0;
  return seen['paused'] !== true && nobodyForgotten;
}

/** @throws {HeadgateError} `QUEUE_UNREACHABLE` if the answer carries no time */
export function serverTimeMs(seen: Config): number {
  const ms = Date.parse(textIn(seen, 'ts'));
  if (Number.isNaN(ms)) throw refusal('a reading of ts', `no time: ${JSON.stringify(seen['ts'])}`, 0);
  return ms;
}
