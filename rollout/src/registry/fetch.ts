/** Requests to a registry, by whoever this machine is there: by a password (Basic), or by a token that the registry's token service gives for it. */
import { HeadgateError } from '../errors.ts';
import { parseChallenge } from './challenge.ts';
import { type Login, loginFor } from './login.ts';

export type Wanted = {
  /** `host[:port]`, as people write it. */
  readonly host: string;
  /** What is wanted of which repositories (distribution-spec, "Token scope"), e.g. `repository:app/proxy:pull,push`. */
  readonly scopes: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** `until` on the clock of `performance.now()`. */
type Pass = { readonly authorization: string; readonly until: number };

/** Of this process: a token is good for all of it until it expires. */
const passes = new Map<string, Promise<Pass | undefined>>();

/** The protocol's own, for a token that says nothing. */
const lifetimeSeconds = 60;
/** So much earlier it counts as expired: what is sent now must still be in time there. */
const marginSeconds = 5;
const answerMaxChars = 1_000_000;

/** As `fetch`, and asked again by a login where the registry wants one. Whoever it still refuses gets its answer. @throws {HeadgateError} `REGISTRY_REFUSED`, `REGISTRY_UNREACHABLE`, `USAGE` */
export async function fetchLoggedIn(
  url: URL,
  init: RequestInit & { readonly signal: AbortSignal },
  wanted: Wanted,
): Promise<Response> {
  const key = [url.origin, ...wanted.scopes].join(' ');
  const known = passes.get(key);
  const before = await validNow(known);
  const answer = await fetch(url, withPass(init, before));
  if (answer.status !== 401) return answer;
  // Whoever asked at the same moment may have got a new one already.
  const asked = passes.get(key) === known ? remember(key, pass(url, answer, wanted, init.signal)) : passes.get(key);
  const after = await asked;
  if (after === undefined) return answer;
  await answer.body?.cancel();
  return fetch(url, withPass(init, after));
}

/** What a person can do who is refused. */
export async function loginHint(
  repository: string,
  { host, env }: Pick<Wanted, 'host' | 'env'>,
  signal: AbortSignal,
): Promise<string> {
  const login = await loginFor(host, env, signal);
  if (login?.from === 'GITHUB_TOKEN')
    return `give the job \`permissions: { packages: write }\`, and this repository access to the package "${repository}"`;
  if (login !== undefined)
    return `give "${login.user}" (of ${login.from}) the right to pull and push "${repository}", or log in as somebody else`;
  return `set HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN where HEADGATE_REGISTRY is at ${host}, or run \`docker login ${host}\`: no login is known`;
}

async function validNow(known: Promise<Pass | undefined> | undefined): Promise<Pass | undefined> {
  const pass = await known?.catch(() => undefined); // Told to whoever asked for it.
  return pass !== undefined && performance.now() < pass.until ? pass : undefined;
}

function remember(key: string, asked: Promise<Pass | undefined>): Promise<Pass | undefined> {
  passes.set(key, asked);
  asked.then(
    (pass) => pass ?? passes.delete(key),
    () => passes.delete(key),
  );
  return asked;
}

function withPass(init: RequestInit, pass: Pass | undefined): RequestInit {
  if (pass === undefined) return init;
  const headers = new Headers(init.headers);
  headers.set('authorization', pass.authorization);
  return { ...init, headers };
}

/** `undefined`: the registry names no way in, or a password would do and there is none. */
async function pass(url: URL, answer: Response, wanted: Wanted, signal: AbortSignal): Promise<Pass | undefined> {
  const challenge = parseChallenge(answer.headers.get('www-authenticate') ?? '');
  if (challenge === undefined) return undefined;
  const login = await loginFor(wanted.host, wanted.env, signal);
  if (challenge.kind === 'bearer')
    return tokenOf(new URL(challenge.realm, url), challenge.service, { login, wanted, url }, signal);
  return login && { authorization: basic(login), until: Number.POSITIVE_INFINITY };
}

type Asking = { readonly login: Login | undefined; readonly wanted: Wanted; readonly url: URL };

/** Without a login too: what everybody may read wants a token all the same. */
async function tokenOf(
  realm: URL,
  service: string | undefined,
  { login, wanted, url }: Asking,
  signal: AbortSignal,
): Promise<Pass> {
  const cannot = `Cannot log in to ${wanted.host}`;
  if (login !== undefined && realm.protocol !== 'https:' && url.protocol === 'https:') {
    throw new HeadgateError(
      'REGISTRY_REFUSED',
      `${cannot} as its token service must speak https: current value is "${realm.origin}"`,
      {
        hint: 'mend `realm` in the configuration of the registry; no password was sent',
      },
    );
  }
  if (service !== undefined) realm.searchParams.set('service', service);
  for (const scope of wanted.scopes) realm.searchParams.append('scope', scope);
  const began = performance.now();
  const headers: Record<string, string> = login === undefined ? {} : { authorization: basic(login) };
  const { status, text } = await read(realm, { headers, signal }, cannot);
  const { token, seconds } = parseToken(status === 200 ? text : '');
  if (token !== undefined)
    return { authorization: `Bearer ${token}`, until: began + (seconds - marginSeconds) * 1_000 };
  throw new HeadgateError(
    status >= 500 ? 'REGISTRY_UNREACHABLE' : 'REGISTRY_REFUSED',
    `${cannot} as ${realm.origin} must give a token for "${wanted.scopes.join(' ')}": current value is "${status}"`,
    { hint: await loginHint(wanted.scopes.map((scope) => scope.split(':')[1]).join(' and '), wanted, signal) },
  );
}

async function read(realm: URL, init: RequestInit, cannot: string): Promise<{ status: number; text: string }> {
  try {
    const answer = await fetch(realm, init);
    return { status: answer.status, text: (await answer.text()).slice(0, answerMaxChars) };
  } catch (cause) {
    init.signal?.throwIfAborted();
    throw new HeadgateError('REGISTRY_UNREACHABLE', `${cannot} as its token service at ${realm.origin} must answer`, {
      hint: `check that it listens: curl ${realm.origin}`,
      cause,
    });
  }
}

/** Nothing but what may stand in a header is a token: an error about a header would quote it. */
function parseToken(text: string): { token: string | undefined; seconds: number } {
  let read: { token?: unknown; access_token?: unknown; expires_in?: unknown } = {};
  try {
    read = { ...(JSON.parse(text) as object) };
  } catch {
    // No token.
  }
  const token = read.token ?? read.access_token;
  const usable = typeof token === 'string' && /^[\w.~+/=-]+$/.test(token) ? token : undefined;
  return { token: usable, seconds: typeof read.expires_in === 'number' ? read.expires_in : lifetimeSeconds };
}

function basic({ user, secret }: Login): string {
  return `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
}
