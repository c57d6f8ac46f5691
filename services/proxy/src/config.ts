import { isTokenList, tokenRule } from './subject.ts';

/** Everything the proxy is told, all of it by the environment (README, "Environment of a lane process"). */
export type Config = {
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  readonly nats: NatsConfig;
  readonly subjectPrefix: string;
  /** `/api` or empty: what is cut off the path before the subject is made. */
  readonly pathPrefix: string;
  /** Origins that browsers may call from; `*` is any, none sends no CORS header at all. */
  readonly corsOrigins: readonly string[];
  readonly identity: Identity;
  readonly limits: Limits;
};

export type NatsConfig = {
  /** `host:port` each, without credentials, so that they may be logged. */
  readonly servers: readonly string[];
  readonly credentials: { readonly user: string; readonly pass: string } | undefined;
  readonly inboxPrefix: string;
};

/** Who answers: the mark on every answer. */
export type Identity = {
  readonly app: string;
  readonly lane: string;
  readonly service: string;
  readonly revision: string;
};

type Limits = {
  /** From the request's last byte to the answer. */
  readonly requestTimeoutMs: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly bodyTimeoutMs: number;
  readonly waitersMax: number;
  /** All request bodies in memory together. */
  readonly bodiesMaxBytes: number;
};

type Issue = { readonly variable: string; readonly message: string };

export type ConfigRead =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'issues'; readonly issues: readonly Issue[] };

/** Reads the whole environment and returns all its mistakes at once. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ConfigRead {
  const reader = new Reader(env);
  const config: Config = {
    host: reader.text('HOST', '0.0.0.0', isHost, 'must be an address without blanks'),
    port: reader.whole('PORT', { fallback: 8080, min: 0, max: 65_535 }),
    adminPort: reader.whole('ADMIN_PORT', { fallback: 9090, min: 0, max: 65_535 }),
    nats: readNats(reader),
    subjectPrefix: reader.text('SUBJECT_PREFIX', '', isEmptyOrTokens, subjectRule),
    pathPrefix: reader.text(
      'PATH_PREFIX',
      '',
      isPathPrefix,
      'must be like "/api": no slash at the end, no empty segment',
    ),
    corsOrigins: reader.list('CORS_ORIGINS', isOrigin, 'must be "*" or origins like "https://example.com"'),
    identity: {
      app: reader.text('HEADGATE_APP', 'app', isName, nameRule),
      lane: reader.text('HEADGATE_LANE', 'blue', (value) => /^(blue|green)$/.test(value), 'must be "blue" or "green"'),
      service: reader.text('HEADGATE_SERVICE', 'proxy', isName, nameRule),
      revision: reader.text('HEADGATE_REVISION', 'unknown', isRevision, 'must be 64 hex digits or "unknown"'),
    },
    limits: {
      requestTimeoutMs: reader.whole('REQUEST_TIMEOUT_MS', { fallback: 5_000, min: 1, max: 600_000 }),
      headersTimeoutMs: reader.whole('HEADERS_TIMEOUT_MS', { fallback: 10_000, min: 1, max: 600_000 }),
      bodyTimeoutMs: reader.whole('BODY_TIMEOUT_MS', { fallback: 30_000, min: 1, max: 600_000 }),
      waitersMax: reader.whole('WAITERS_MAX', { fallback: 5_000, min: 1, max: 1_000_000 }),
      bodiesMaxBytes: reader.whole('BODIES_MAX_BYTES', { fallback: 32 * 1024 * 1024, min: 1, max: 2 ** 40 }),
    },
  };
  if (config.limits.bodyTimeoutMs < config.limits.headersTimeoutMs) {
    reader.refuse('BODY_TIMEOUT_MS', 'must not be less than HEADERS_TIMEOUT_MS', String(config.limits.bodyTimeoutMs));
  }
  return reader.issues.length === 0 ? { kind: 'config', config } : { kind: 'issues', issues: reader.issues };
}

const nameRule = 'must be lower-case letters, digits and "-"';
const subjectRule = 'must be subject tokens joined by "."';

function readNats(reader: Reader): NatsConfig {
  const urls = reader
    .list(
      'NATS_URL',
      (url) => parseNatsUrl(url) !== undefined,
      'must be like "nats://host:4222"',
      'nats://127.0.0.1:4222',
    )
    .flatMap((url) => parseNatsUrl(url) ?? []);
  const user = urls.find((url) => url.username !== '');
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port === '' ? '4222' : url.port}`),
    credentials:
      user === undefined
        ? undefined
        : { user: decodeURIComponent(user.username), pass: decodeURIComponent(user.password) },
    inboxPrefix: reader.text('INBOX_PREFIX', '_INBOX', isTokenList, subjectRule),
  };
}

function parseNatsUrl(text: string): URL | undefined {
  const full = text.includes('://') ? text : `nats://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  return url.protocol === 'nats:' && url.hostname !== '' ? url : undefined;
}

const isHost = (value: string) => /^[^\s]+$/.test(value);
const isName = (value: string) => /^[a-z0-9-]+$/.test(value);
const isRevision = (value: string) => value === 'unknown' || /^[0-9a-f]{64}$/.test(value);
const isEmptyOrTokens = (value: string) => value === '' || isTokenList(value);
const isOrigin = (value: string) => value === '*' || /^https?:\/\/[^\s/]+$/.test(value);

function isPathPrefix(value: string): boolean {
  if (value === '') return true;
  const [before, ...segments] = value.split('/');
  return before === '' && segments.length > 0 && segments.every((segment) => tokenRule.test(segment));
}

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
    if (!holds(value)) this.refuse(variable, rule, value);
    return value;
  }

  whole(variable: string, { fallback, min, max }: Whole): number {
    const value = this.#env[variable] ?? '';
    if (value === '') return fallback;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      this.refuse(variable, `must be a whole number from ${min} to ${max}`, value);
    }
    return number;
  }

  /** Comma-separated. */
  list(variable: string, holds: (value: string) => boolean, rule: string, fallback = ''): readonly string[] {
    const value = this.#env[variable] ?? '';
    const items = (value === '' ? fallback : value).split(',').map((item) => item.trim());
    if (value !== '' && !items.every(holds)) this.refuse(variable, rule, value);
    return items.filter((item) => item !== '');
  }

  refuse(variable: string, rule: string, value: string): void {
    this.issues.push({
      variable,
      message: `Cannot use ${variable} as it ${rule}: current value is "${redact(value)}"`,
    });
  }
}

/** A mistyped URL may still hold a password. */
function redact(value: string): string {
  return value.replace(/\/\/[^@/]*@/g, '//***@');
}
