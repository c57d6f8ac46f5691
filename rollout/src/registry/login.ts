/** Who this machine is to a registry. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HeadgateError } from '../errors.ts';
import { unlessMissing } from '../journal/files.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The secret goes to that registry, and to the token service that it names, and into no text. */
export type Login = { readonly user: string; readonly secret: string /** For people. */; readonly from: string };

const ghcr = 'ghcr.io';
/** What `docker login` without a name keeps its login under. */
const dockerHub = 'https://index.docker.io/v1/';
const helperMaxMs = 20_000;

/**
 * Of `host[:port]`, from the first that has one: HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN, which are for the host of
 * HEADGATE_REGISTRY alone; what `docker login` has left; in GitHub Actions, for ghcr.io, the job's own token. `undefined`: nobody.
 * @throws {HeadgateError} `USAGE` for half a login, or a file that cannot be read
 */
export async function loginFor(host: string, env: Env, signal: AbortSignal): Promise<Login | undefined> {
  return named(host, env) ?? (await leftByDocker(host, env, signal)) ?? ofActions(host, env);
}

function named(host: string, env: Env): Login | undefined {
  const { HEADGATE_REGISTRY_USER: user, HEADGATE_REGISTRY_TOKEN: secret, HEADGATE_REGISTRY: registry = '' } = env;
  if (!secret || hostOf(registry) !== host) return undefined;
  if (user) return { user, secret, from: 'HEADGATE_REGISTRY_USER' };
  throw new HeadgateError('USAGE', `Cannot log in to ${host} as HEADGATE_REGISTRY_TOKEN must come with its user`, {
    hint: 'set HEADGATE_REGISTRY_USER',
  });
}

function ofActions(host: string, env: Env): Login | undefined {
  const { GITHUB_ACTIONS: on, GITHUB_TOKEN: secret, GITHUB_ACTOR: user = 'x-access-token' } = env;
  return host === ghcr && on === 'true' && secret ? { user, secret, from: 'GITHUB_TOKEN' } : undefined;
}

type DockerConfig = {
  readonly auths?: Readonly<Record<string, { readonly auth?: string }>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
};

async function leftByDocker(host: string, env: Env, signal: AbortSignal): Promise<Login | undefined> {
  const file = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  const text = await unlessMissing(readFile(file, 'utf8'));
  if (text === undefined) return undefined;
  const { auths = {}, credHelpers = {}, credsStore } = parse(file, text);
  const server = host === 'docker.io' ? dockerHub : host;
  const helper = credHelpers[server] ?? credHelpers[host] ?? credsStore;
  if (helper) return askHelper(`docker-credential-${helper}`, server, env, signal);
  const [, entry] = Object.entries(auths).find(([name]) => hostOf(name) === hostOf(server)) ?? [];
  const [, user, secret] = /^([^:]+):(.+)$/s.exec(Buffer.from(entry?.auth ?? '', 'base64').toString('utf8')) ?? [];
  return user === undefined || secret === undefined ? undefined : { user, secret, from: file };
}

function parse(file: string, text: string): DockerConfig {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read === 'object' && read !== null) return read; // All that is used of it is looked at where it is used.
  } catch {
    // Its error would quote the file, which holds secrets.
  }
  throw new HeadgateError('USAGE', `Cannot log in to a registry as "${file}" must be a JSON object`, {
    hint: 'mend it, or set HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN',
  });
}

/** A program that keeps passwords (docker/docker-credential-helpers). One that knows nobody there says so, and ends with 1. */
async function askHelper(helper: string, host: string, env: Env, signal: AbortSignal): Promise<Login | undefined> {
  const said = await new Promise<string>((resolve, reject) => {
    const options = { signal, timeout: helperMaxMs, env: { ...env } };
    const child = execFile(helper, ['get'], options, (error, stdout) => {
      if (error === null || stdout.includes('credentials not found')) resolve(stdout);
      else reject(error);
    });
    child.stdin?.on('error', () => {}); // One that could not be started is told of above.
    child.stdin?.end(host);
  }).catch((cause: { code?: unknown }) => {
    signal.throwIfAborted();
    // Neither its words nor the error, which has them, are shown: they may hold the secret.
    throw new HeadgateError(
      'USAGE',
      `Cannot log in to ${host} as ${helper} must answer: current value is "${cause.code}"`,
      {
        hint: `run \`echo ${host} | ${helper} get\`, or set HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN`,
      },
    );
  });
  if (said.includes('credentials not found')) return undefined;
  const { Username: user, Secret: secret } = parse(`the answer of ${helper}`, said) as Record<string, unknown>;
  if (typeof user === 'string' && typeof secret === 'string' && user !== '<token>')
    return { user, secret, from: helper };
  throw new HeadgateError('USAGE', `Cannot log in to ${host} as ${helper} must give a user and a password`, {
    hint: 'set HEADGATE_REGISTRY_USER and HEADGATE_REGISTRY_TOKEN; an identity token is not taken',
  });
}

/** docker writes `ghcr.io`, and of old `https://host/v1/`. */
function hostOf(place: string): string {
  return place.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}
