import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isAlive, pidOf } from '../../../journal/process-mark.ts';
import { percent, weightsFor } from '../../../lane.ts';
import { digest, makeRevision, type Revision } from '../../../revision.ts';
import { openHaproxyTraffic } from '../../../traffic/haproxy.ts';
import { aRevision } from '../../../workload/revision.rig.ts';
import { pushByHand } from '../image/push.rig.ts';
import { startNats } from '../servers/index.ts';
import { type EnsureOptions, ensureSupervisor, stopSupervisor } from './ensure.ts';
import { serviceProgram } from './fake-service.rig.ts';
import { until } from './supervisor.rig.ts';

const run = promisify(execFile);
const signal = AbortSignal.timeout(120_000);

let folder: string;
let revision: Revision;
let options: EnsureOptions;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-ensure-'));
  options = { app: 'ratings', folder: join(folder, 'state'), postgres: false };
  const { info } = await ensureSupervisor(options, signal);
  revision = await publish(info.urls.registry);
});

afterAll(async () => {
  await stopSupervisor(options.folder, signal);
  await rm(folder, { recursive: true, force: true });
});

/** A real image with this machine's Node, for both services. */
async function publish(registryUrl: string): Promise<Revision> {
  const { stdout } = await run('ldd', [process.execPath]);
  const files = [process.execPath, ...(stdout.match(/\/\S+/g) ?? [])];
  const layer = files.map(async (file) => ({ name: file.slice(1), mode: 0o755, text: await readFile(file) }));
  const config = { Entrypoint: [process.execPath, '-e', serviceProgram], User: '1000' };
  const reference = await pushByHand(registryUrl, 'service', { layers: [await Promise.all(layer)], config });
  const [repository = '', hash = ''] = reference.split('@');
  return makeRevision({
    ...aRevision(),
    digests: { proxy: digest(hash), rating: digest(hash) },
    repositories: { proxy: repository, rating: repository },
  });
}

async function marksOf(stateFolder: string): Promise<string[]> {
  return (await readFile(join(stateFolder, 'pids'), 'utf8')).trim().split('\n');
}

async function nobodyOf(marks: readonly string[]): Promise<void> {
  await until(
    async () => (await Promise.all(marks.map(isAlive))).filter(Boolean).length,
    (alive) => alive === 0,
  );
}

function answers(url: string): Promise<boolean> {
  const { port } = new URL(url);
  const socket = createConnection({ port: Number(port), host: '127.0.0.1' });
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}

test('two that start at once share one supervisor, which no Ctrl-C of theirs reaches', async () => {
  await stopSupervisor(options.folder, signal);

  const [first, second] = await Promise.all([ensureSupervisor(options, signal), ensureSupervisor(options, signal)]);

  expect(first.info).toEqual(second.info);
  const session = (await readFile(`/proc/${first.info.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[3];
  expect(session).toBe(String(first.info.pid));
  await expect(ensureSupervisor({ ...options, app: 'other' }, signal)).rejects.toMatchObject({ code: 'REFUSED' });
});

test('a supervisor killed -9 takes everything along; the next one brings lanes, weights and addresses back', async () => {
  const before = await ensureSupervisor(options, signal);
  await before.client.setRevision('blue', revision, signal);
  await before.client.scale('blue', { proxy: 2, rating: 1 }, signal);
  await until(
    () => before.client.observe('blue', signal),
    ({ services }) => services['proxy']?.ready === 2 && services['rating']?.ready === 1,
  );
  await openHaproxyTraffic(before.info.haproxy).setWeights(weightsFor('blue', percent(100)), signal);
  await until(
    () => readFile(join(options.folder, 'traffic.json'), 'utf8'),
    (text) => text.includes('"blue":100'),
  );
  const marks = await marksOf(options.folder);

  process.kill(before.info.pid, 'SIGKILL');

  await nobodyOf(marks);
  expect(
    await Promise.all(
      Object.values(before.info.urls)
        .filter(Boolean)
        .map((url) => answers(String(url))),
    ),
  ).toEqual([false, false, false]);
  const after = await ensureSupervisor(options, signal);
  expect(after.info.urls).toEqual(before.info.urls);
  const status = await until(
    () => fetch(after.info.urls.http).then((response) => response.status),
    (seen) => seen === 200,
  );
  expect(status).toBe(200);
  expect(await after.client.probe('blue', signal)).toMatchObject({
    kind: 'answered',
    lane: 'blue',
    revision: revision.id,
  });
});

test('stopSupervisor() leaves no process, port or socket, also when it is repeated', async () => {
  const { info } = await ensureSupervisor(options, signal);
  const marks = await marksOf(options.folder);
  expect(marks.length).toBeGreaterThanOrEqual(10); // Supervisor, three servers, three lane processes of two each.

  await stopSupervisor(options.folder, signal);
  await stopSupervisor(options.folder, signal);

  await nobodyOf(marks);
  expect(await answers(info.urls.http)).toBe(false);
  expect((await readdir(options.folder)).filter((name) => /sock|pids/.test(name))).toEqual([]);
});

test('a supervisor that belongs to a process ends after that one was killed -9', async () => {
  const parent = spawn('sleep', ['60']);
  const { info } = await ensureSupervisor({ ...options, endWith: parent.pid! }, signal);
  const marks = await marksOf(options.folder);

  parent.kill('SIGKILL');

  await nobodyOf(marks);
  // Its number is free when Node has heard of its end, which may be a moment later.
  await until(
    async () => existsSync(`/proc/${info.pid}`),
    (isThere) => !isThere,
  );
});

test('SIGINT ends a supervisor with all it owns', async () => {
  const { info } = await ensureSupervisor(options, signal);
  const marks = await marksOf(options.folder);

  process.kill(info.pid, 'SIGINT');

  await nobodyOf(marks);
  expect(marks.map(pidOf)).toContain(info.pid);
});

test('a supervisor that cannot start says why', async () => {
  await using other = await startNats();

  await expect(ensureSupervisor({ ...options, port: Number(new URL(other.url).port) }, signal)).rejects.toMatchObject({
    code: 'SERVER_START',
    message: expect.stringContaining('haproxy'),
  });
});
