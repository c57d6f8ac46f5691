import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf, HeadgateError, isHeadgateError } from '@headgate/rollout';
import { fetchLoggedIn, loginHint, originOf, pathOf } from '@headgate/rollout/registry';

/** Where a repository's requests go. */
export type Address = {
  readonly repository: string;
  readonly origin: string;
  /** `host[:port]`. */
  readonly host: string;
  /** The repository without its host, as the registry has it. */
  readonly name: string;
};

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Buffer };

type Question = {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Relative to `/v2/<name>/`, or a whole URL that the registry gave. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Another repository there that must be readable for it. */
  readonly from?: string | undefined;
  /** The answer may be a layer: large, and long under way. */
  readonly layer?: true;
  /** Statuses that are answers; every other one is an error. */
  readonly expected: readonly number[];
};

/** A connection that breaks is tried again: every request here may be sent twice. */
const triesMax = 3;
const pauseMs = 200;
/** For one try of a question, and of one that carries or fetches a layer of 100 MB over a slow line. */
const askMaxMs = 10_000;
const sendMaxMs = 120_000;
/** Manifests are smaller: the distribution specification asks registries to take 4 MiB. */
const bodyMaxBytes = 4 * 1024 * 1024;
const layerMaxBytes = 512 * 1024 * 1024;

/** `repository` is `host[:port]/name`; where its host answers is told by `originOf`. @throws {HeadgateError} `USAGE` */
export function parseRepository(repository: string, env: NodeJS.ProcessEnv = process.env): Address {
  const [, host, port = '', name] =
    /^([^/:]+|\[[^\]]+\])(:\d+)?\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)$/.exec(repository) ?? [];
  if (host === undefined || name === undefined) {
    throw new HeadgateError(
      'USAGE',
      `Cannot use a repository as it must be "host:port/name": current value is "${repository}"`,
      {
        hint: 'write it without scheme, tag and digest, in lower case',
      },
    );
  }
  const whole = `${host}${port}`;
  return { repository, origin: originOf(whole, env), host: whole, name: pathOf(whole, name) };
}

/** One request with its deadline. @throws {HeadgateError} `REGISTRY_UNREACHABLE`, `REGISTRY_REFUSED` */
export async function ask(address: Address, question: Question, signal: AbortSignal): Promise<Answer> {
  const answer = await send(address, question, signal);
  if (question.expected.includes(answer.status)) return answer;
  const why = answer.body.toString('utf8', 0, 500);
  throw new HeadgateError(
    answer.status >= 500 ? 'REGISTRY_UNREACHABLE' : 'REGISTRY_REFUSED',
    `Cannot ${question.method} ${question.path} of "${address.repository}" as the registry must answer ${question.expected.join(' or ')}: current value is "${answer.status} ${why}"`,
    { hint: await hintFor(answer.status, address, signal) },
  );
}

async function hintFor(status: number, { origin, host, repository }: Address, signal: AbortSignal): Promise<string> {
  if (status === 401 || status === 403) return await loginHint(repository, { host, env: process.env }, signal);
  if (status >= 500) return `read the registry's log, then run the same command again`;
  return `check that ${origin} is a registry that takes OCI images`;
}

async function send(address: Address, question: Question, signal: AbortSignal): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      const deadline = AbortSignal.timeout(question.body === undefined && !question.layer ? askMaxMs : sendMaxMs);
      return await sendOnce(address, question, firstOf([signal, deadline]));
    } catch (cause) {
      signal.throwIfAborted();
      if (tries < triesMax && isBrokenConnection(cause)) {
        await sleep(pauseMs * tries, undefined, { signal });
        continue;
      }
      if (isHeadgateError(cause)) throw cause;
      throw new HeadgateError(
        'REGISTRY_UNREACHABLE',
        `Cannot reach the registry of "${address.repository}" as it must answer`,
        {
          hint: `check that a registry listens: curl ${address.origin}/v2/`,
          cause,
        },
      );
    }
  }
}

async function sendOnce(address: Address, question: Question, signal: AbortSignal): Promise<Answer> {
  const { method, path, headers = {}, body, layer } = question;
  const bytesMax = layer ? layerMaxBytes : bodyMaxBytes;
  const url = new URL(path, `${address.origin}/v2/${address.name}/`);
  const init = { method, headers, signal, ...(body === undefined ? {} : { body }) };
  // What is uploaded may go to another place, which the registry names and which is no business of its tokens.
  const response = await (url.origin === address.origin
    ? fetchLoggedIn(url, init, { host: address.host, scopes: scopesOf(address, question), env: process.env })
    : fetch(url, init));
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new RangeError(`Cannot read ${url} as it must be at most ${bytesMax} bytes long`);
    chunks.push(chunk);
  }
  return { status: response.status, headers: response.headers, body: Buffer.concat(chunks) };
}

/** What a token must be good for. */
function scopesOf({ name }: Address, { method, from }: Question): readonly string[] {
  const own = `repository:${name}:${method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push'}`;
  return from === undefined ? [own] : [own, `repository:${from}:pull`];
}

/** fetch() says all failures of the connection with a TypeError, of the token service's too; by name, since `instanceof` fails between realms. */
function isBrokenConnection(error: unknown): boolean {
  if (isHeadgateError(error)) return isBrokenConnection(error.cause);
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'TypeError';
}
