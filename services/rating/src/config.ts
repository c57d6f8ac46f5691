/** Everything the service is told, all of it by the environment (README, "Environment of a lane process"). */
export type Config = {
  readonly host: string;
  readonly adminPort: number;
  readonly nats: NatsConfig;
  readonly database: DatabaseConfig;
  readonly identity: Identity;
  /** The lane's own stream and its durable consumer. */
  readonly own: Source;
  /** The other lane's, which a source list may name. */
  readonly other: Source;
  /** Messages handled at the same time from the own stream; another lane's stream gets half of it. */
  readonly parallelism: number;
  /** How long the answer to a command is kept for a repeat of it. */
  readonly inboxKeepMs: number;
};

export type NatsConfig = {
  /** `host:port` each, without credentials, so that they may be logged. */
  readonly servers: readonly string[];
  readonly credentials: { readonly user: string; readonly pass: string } | undefined;
  readonly inboxPrefix: string;
};

export type DatabaseConfig = { readonly url: string; readonly connectionsMax: number };

/** Who works: the labels of `headgate_info` and of every log line. */
export type Identity = {
  readonly app: string;
  readonly lane: string;
  readonly service: string;
  readonly revision: string;
};

/** Where messages come from. */
export type Source = { readonly stream: string; readonly consumer: string };

export type Issue = { readonly variable: string; readonly message: string };

export type ConfigRead =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'issues'; readonly issues: readonly Issue[] };

/**
 * No message can come again later than this: the streams' `max_age` (120 s) and `ack_wait` x `max_deliver` (50 s). Before that an
 * answer must not be forgotten, or the command would be applied a second time.
 */
const INBOX_KEEP_MIN_MS = 170_000;

/** Reads the whole environment and returns all its mistakes at once. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ConfigRead {
  const reader = new Reader(env);
  const identity: Identity = {
    app: reader.text('HEADGATE_APP', 'app', isName, nameRule),
    lane: reader.text('HEADGATE_LANE', 'blue', (value) => /^(blue|green)$/.test(value), 'must be "blue" or "green"'),
    service: reader.text('HEADGATE_SERVICE', 'rating', isName, nameRule),
    revision: reader.text('HEADGATE_REVISION', 'unknown', isRevision, 'must be 64 hex digits or "unknown"'),
  };
  const config: Config = {
    host: reader.text('HOST', '0.0.0.0', isHost, 'must be an address without blanks'),
    adminPort: reader.whole('ADMIN_PORT', { fallback: 9090, min: 0, max: 65_535 }),
    nats: readNats(reader),
    database: {
      url: reader.required('DATABASE_URL', isDatabaseUrl, 'must be like "postgres://user:password@host:5432/ratings"'),
      connectionsMax: reader.whole('DATABASE_CONNECTIONS_MAX', { fallback: 8, min: 2, max: 1_000 }),
    },
    identity,
    own: readSource(reader, 'SERVICE', identity),
    other: readSource(reader, 'OTHER', { ...identity, lane: identity.lane === 'blue' ? 'green' : 'blue' }),
    parallelism: reader.whole('PARALLELISM', { fallback: 16, min: 1, max: 1_000 }),
    inboxKeepMs: reader.whole('INBOX_KEEP_MS', { fallback: 300_000, min: INBOX_KEEP_MIN_MS, max: 2 ** 31 }),
  };
  return reader.issues.length === 0 ? { kind: 'config', config } : { kind: 'issues', issues: reader.issues };
}

const nameRule = 'must be lower-case letters, digits and "-"';
const queueNameRule = 'must be letters, digits, "_" and "-"';

function readSource(reader: Reader, whose: 'SERVICE' | 'OTHER', { app, lane, service }: Identity): Source {
  const stream = reader.text(`${whose}_STREAM_NAME`, `${app}-${lane}`, isQueueName, queueNameRule);
  const consumer = reader.text(`${whose}_CONSUMER_NAME`, `${stream}-${service}`, isQueueName, queueNameRule);
  return { stream, consumer };
}

function readNats(reader: Reader): NatsConfig {
  const urls = reader
    .text('NATS_URL', 'nats://127.0.0.1:4222', isNatsUrls, 'must be like "nats://host:4222", joined by commas')
    .split(',')
    .flatMap((text) => parseNatsUrl(text) ?? []);
  const user = urls.find((url) => url.username !== '');
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port === '' ? '4222' : url.port}`),
    credentials:
      user === undefined
        ? undefined
        : { user: decodeURIComponent(user.username), pass: decodeURIComponent(user.password) },
    inboxPrefix: reader.text('INBOX_PREFIX', '_INBOX', isInboxPrefix, 'must be like "_INBOX_worker"'),
  };
}

function parseNatsUrl(text: string): URL | undefined {
  const trimmed = text.trim();
  const full = trimmed.includes('://') ? trimmed : `nats://${trimmed}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  return url.protocol === 'nats:' && url.hostname !== '' ? url : undefined;
}

const isNatsUrls = (value: string) => value.split(',').every((text) => parseNatsUrl(text) !== undefined);
const isDatabaseUrl = (value: string) => URL.canParse(value) && /^postgres(ql)?:\/\//.test(value);
const isHost = (value: string) => /^\S+$/.test(value);
const isName = (value: string) => /^[a-z0-9-]+$/.test(value);
const isQueueName = (value: string) => /^[A-Za-z0-9_-]+$/.test(value);
const isInboxPrefix = (value: string) => /^_INBOX[A-Za-z0-9_-]*$/.test(value);
const isRevision = (value: string) => value === 'unknown' || /^[0-9a-f]{64}$/.test(value);

type Whole = { readonly fallback: number; readonly min: number; readonly max: number };

/** An empty variable is an absent one: that is how a template leaves one out. */
class Reader {
  readonly issues: Issue[] = [];
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  text(variable: string, fallback: string, holds: (value: string) => boolean, rule: string): string {
    const value = this.#env[variable] ?? '';
    if (value === '') return fallback;
    if (!holds(value)) this.#refuse(variable, rule, value);
    return value;
  }

  required(variable: string, holds: (value: string) => boolean, rule: string): string {
    if ((this.#env[variable] ?? '') === '') this.#refuse(variable, rule, '');
    return this.text(variable, '', holds, rule);
  }

  whole(variable: string, { fallback, min, max }: Whole): number {
    const value = this.#env[variable] ?? '';
    if (value === '') return fallback;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      this.#refuse(variable, `must be a whole number from ${min} to ${max}`, value);
    }
    return number;
  }

  #refuse(variable: string, rule: string, value: string): void {
    this.issues.push({
      variable,
      message: `Cannot use ${variable} as it ${rule}: current value is "${redact(value)}"`,
    });
  }
}

/** A mistyped URL may still hold a password, in whatever place. */
function redact(value: string): string {
  return value.replace(/^(\w+:\/\/)?.*@/, '$1***@').replace(/(password=)[^&\s]*/gi, '$1***');
}
