import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { startNats, startPostgres } from './index.ts';
import { tied } from './process.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-servers-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('startNats() says which binary it took, and its disposal ends it', async () => {
  const nats = await startNats();
  const alive = existsSync(`/proc/${nats.pid}`);

  await nats[Symbol.asyncDispose]();

  expect(nats.url).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
  expect(nats.found.version).toMatch(/^2\.\d+\.\d+$/);
  expect([alive, existsSync(`/proc/${nats.pid}`)]).toEqual([true, false]);
});

test('startPostgres() finds its data again in a folder that is kept, also after a kill -9', async () => {
  const first = await startPostgres({ folder: join(folder, 'postgres') });
  await query(first.url, 'create table t as select 42 as answer');
  process.kill(first.pid, 'SIGKILL');
  await first.ended;

  await using second = await startPostgres({ folder: join(folder, 'postgres') });

  expect(await query(second.url, 'select answer from t')).toEqual([{ answer: 42 }]);
});

test('tied() children end with a parent that was killed -9', async () => {
  const file = join(folder, 'parent.mjs');
  const [command, args] = tied('/bin/sleep', ['60']);
  await writeFile(
    file,
    `import { spawn } from 'node:child_process';
     const child = spawn(${JSON.stringify(command)}, ${JSON.stringify(args)});
     child.on('spawn', () => process.stdout.write(String(child.pid)));
     setInterval(() => {}, 1000);`,
  );
  const parent = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid] = await once(parent.stdout, 'data');

  parent.kill('SIGKILL');
  await once(parent, 'exit');

  await expect(gone(Number(String(pid)))).resolves.toBe(true);
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // The server is killed on purpose.
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function gone(pid: number): Promise<boolean> {
  const deadline = Date.now() + 5_000;
  while (existsSync(`/proc/${pid}`) && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  return !existsSync(`/proc/${pid}`);
}
