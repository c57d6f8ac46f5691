import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, Events, type Msg, type NatsConnection, NatsError } from 'nats';
import type { Identity } from './config.ts';
import { type Log, sparing, wordsOf } from './log.ts';

const READ_EVERY_MS = 2_000;
const READ_TIMEOUT_MS = 1_000;
/** After a put was heard: how often, and how many times, the key is read until the new value is in it. */
const CHASE_EVERY_MS = 50;
const CHASES_MAX = 20;
const ERROR_LOG_MS = 10_000;

/** What one read of the key said. `absent`: no such key. `no-bucket`: nobody answers for the bucket, or JetStream is off. */
export type Reading =
  | { readonly kind: 'list'; readonly version: Version; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'no-bucket' }
  | { readonly kind: 'failed'; readonly why: string };

export type Version = { readonly sequence: number; readonly atMs: number };

export type SourcesOptions = {
  readonly connection: NatsConnection;
  readonly identity: Identity;
  /** Names of the lane's own stream and of the other one's. */
  readonly own: string;
  readonly other: string;
  readonly log: Log;
  /** Called with the streams to pull from, at first and at each change. */
  readonly follow: (streams: readonly string[]) => void;
};

/**
 * The source list of this lane: which streams its workers pull from. Whoever moves work between lanes puts it into a key of the bucket
 * `headgate`. A put is heard as a plain message, and only heard: it may still be refused, so what counts is read back from the bucket.
 * The subscription comes before the first read, or a put between the two would be missed for 2 s.
 */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #memory: SourceMemory;
  readonly #logError: Log;
  #chasing = false;
  #heard = 0;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#memory = new SourceMemory(options.own, streamsOf(options));
    this.#logError = sparing(options.log, ERROR_LOG_MS);
  }

  /** `undefined` while nothing is known. */
  get streams(): readonly string[] | undefined {
    return this.#memory.streams;
  }

  /** Follows the list until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { connection, identity } = this.#options;
    const key = `$KV.headgate.sources.${identity.app}.${identity.lane}`;
    const heard = connection.subscribe(key, {
      callback: (error) => {
        if (error !== null) this.#logError('sources-unheard', { error: wordsOf(error) });
        else void this.#chase(key, signal);
      },
    });
    void this.#readOnReconnect(key, signal);
    while (!signal.aborted) {
      await this.#read(key);
      await sleep(READ_EVERY_MS, undefined, { signal }).catch(() => {}); // Aborted: the loop's condition ends it.
    }
    heard.unsubscribe();
  }

  async #readOnReconnect(key: string, signal: AbortSignal): Promise<void> {
    for await (const { type } of this.#options.connection.status()) {
      if (signal.aborted) return;
      if (type === Events.Reconnect) void this.#read(key);
    }
  }

  /** The message overtakes the bucket, so the key is read until it has changed, or for a second if the put was refused. */
  async #chase(key: string, signal: AbortSignal): Promise<void> {
    this.#heard++;
    if (this.#chasing) return;
    this.#chasing = true;
    for (let heard = -1, reads = 0; reads < CHASES_MAX && !signal.aborted; reads++) {
      if (heard !== this.#heard) {
        heard = this.#heard;
        reads = 0;
      }
      // One put more may be on its way behind the one that was read.
      if ((await this.#read(key)) && heard === this.#heard) break;
      await sleep(CHASE_EVERY_MS);
    }
    this.#chasing = false;
  }

  /** Whether it brought a newer version. */
  async #read(key: string): Promise<boolean> {
    const { connection, log, follow } = this.#options;
    const before = this.#memory.streams;
    const learnt = this.#memory.learn(await readKey(connection, key));
    if (learnt.problem !== undefined) this.#logError('sources-unread', { key, problem: learnt.problem });
    const { streams } = this.#memory;
    if (streams === undefined || streams.join() === before?.join()) return learnt.newer;
    log('sources', { streams });
    follow(streams);
    return learnt.newer;
  }
}

/** What the readings so far amount to. */
export class SourceMemory {
  #streams: readonly string[] | undefined;
  #version: Version | undefined;
  #absences = 0;
  readonly #own: string;
  readonly #known: readonly string[];

  /** `own`: the lane's own stream. `known`: all streams that a list may name. */
  constructor(own: string, known: readonly string[]) {
    this.#own = own;
    this.#known = known;
  }

  get streams(): readonly string[] | undefined {
    return this.#streams;
  }

  /** Takes a reading in. `problem` says why it could not be used. */
  learn(reading: Reading): { readonly newer: boolean; readonly problem?: string } {
    if (reading.kind === 'failed') return { newer: false, problem: reading.why };
    if (reading.kind === 'list') return this.#learnList(reading);
    // A bucket without a leader looks like none at all, and a lagging replica may lack the key: what was known holds. A key that is
    // absent twice running is gone.
    if (reading.kind === 'absent') this.#absences++;
    if (this.#streams === undefined || this.#absences >= 2) {
      this.#streams = [this.#own];
      this.#version = undefined;
    }
    return { newer: false };
  }

  #learnList({ version, text }: Reading & { kind: 'list' }): { readonly newer: boolean; readonly problem?: string } {
    this.#absences = 0;
    if (this.#version !== undefined && !isNewer(version, this.#version)) return { newer: false };
    const streams = parseStreams(text);
    const stranger = streams?.find((stream) => !this.#known.includes(stream));
    if (streams === undefined || stranger !== undefined) {
      const rule = `it must be a JSON array with none but ${this.#known.join(', ')}`;
      return { newer: false, problem: `${rule}: current value is "${text.slice(0, 200)}"` };
    }
    this.#version = version;
    this.#streams = streams;
    return { newer: true };
  }
}

/** Replicas may lag, so an older sequence is ignored; but in a bucket that was made anew sequences begin again, at a later time. */
function isNewer(version: Version, known: Version): boolean {
  return version.sequence > known.sequence || version.atMs > known.atMs;
}

/** A list may name the streams of the app's two lanes, whatever this worker was told when it started. */
function streamsOf({ identity: { app }, own, other }: SourcesOptions): readonly string[] {
  return [...new Set([own, other, `${app}-blue`, `${app}-green`])];
}

function parseStreams(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? [...new Set(value.map(String))] : undefined;
  } catch {
    return undefined; // Not JSON: named by the caller.
  }
}

async function readKey(connection: NatsConnection, key: string): Promise<Reading> {
  try {
    const subject = `$JS.API.DIRECT.GET.KV_headgate.${key}`;
    return readingOf(await connection.request(subject, '', { timeout: READ_TIMEOUT_MS }));
  } catch (error) {
    if (error instanceof NatsError && error.code === ErrorCode.NoResponders) return { kind: 'no-bucket' };
    return { kind: 'failed', why: wordsOf(error) };
  }
}

/** The message stays whole: its text and headers come from its class, which taking it apart would leave behind. */
function readingOf(message: Msg): Reading {
  const { headers } = message;
  if (headers?.code === 404) return { kind: 'absent' };
  const sequence = Number(headers?.get('Nats-Sequence') || Number.NaN);
  const atMs = Date.parse(headers?.get('Nats-Time-Stamp') ?? '');
  if (!Number.isInteger(sequence) || Number.isNaN(atMs)) {
    return { kind: 'failed', why: headers?.description || 'the answer has no sequence or no time' };
  }
  // The marker that stands where a key was deleted.
  if (headers?.get('KV-Operation')) return { kind: 'absent' };
  return { kind: 'list', version: { sequence, atMs }, text: message.string() };
}
