import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { openGate } from './gate.rig.ts';
import { type Lanes, openLanes, until } from './lane.rig.ts';
import { freePort, type RunningServer, startNats, startPostgres } from './servers.rig.ts';
import { startWorker, type Worker } from './worker.rig.ts';

let nats: RunningServer;
let postgres: RunningServer;
let database: pg.Pool;

beforeAll(async () => {
  [nats, postgres] = await Promise.all([startNats(), startPostgres({ durable: false })]);
  database = new pg.Pool({ connectionString: postgres.url });
}, 60_000);

afterAll(async () => {
  if (database !== undefined) await leave(database);
  await Promise.all([nats, postgres].map((server) => server?.[Symbol.asyncDispose]()));
});

const userId = randomUUID();
const serviceId = randomUUID();

/** An app that no other test has, on the servers of all. */
function anApp(): { readonly app: string; readonly env: Record<string, string> } {
  const app = `app-${randomUUID().slice(0, 8)}`;
  return { app, env: { HEADGATE_APP: app, NATS_URL: nats.url, DATABASE_URL: postgres.url } };
}

function score(by: string, points = 4): { items: { userId: string; serviceId: string; score: number }[] } {
  return { items: [{ userId: by, serviceId, score: points }] };
}

/** Ends the pool and its connections. `end()` alone does not wait for these: a server that stops next would send them an error. */
async function leave(pool: pg.Pool): Promise<void> {
  let open = pool.totalCount;
  const left = new Promise<void>((resolve) => {
    if (open === 0) resolve();
    pool.on('remove', () => {
      open -= 1;
      if (open === 0) resolve();
    });
  });
  await pool.end();
  await left;
}

/** How many ratings this user gave: each test has users of its own. */
async function rowsOf(by: string): Promise<number> {
  const { rows } = await database.query('select count(*)::int as n from ratings where user_id = $1', [by]);
  return (rows[0] as { n: number }).n;
}

/** Handlers that write ratings wait until it is released; the worker gives one up after 3 s. */
async function lockRatings(): Promise<AsyncDisposable> {
  const client = await database.connect();
  await client.query('begin; lock table ratings in access exclusive mode');
  let held = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!held) return; // Released before the end of its test.
      held = false;
      await client.query('rollback');
      client.release();
    },
  };
}

describe('the rating API', () => {
  let lanes: Lanes;
  let worker: Worker;

  beforeAll(async () => {
    const { app, env } = anApp();
    lanes = await openLanes(nats.url, app);
    worker = await startWorker(env);
    await worker.untilReady();
  }, 60_000);

  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]();
    await lanes?.[Symbol.asyncDispose]();
  });

  test('ratings are added, listed by id and page, and removed', async () => {
    const items = [1, 2, 3].map((points) => ({ userId, serviceId, score: points }));

    const added = await lanes.ask('post.ratings', { body: { items } });
    const made = (added.body['items'] as { id: string }[]).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const ids = made.map(({ id }) => id);
    const listed = await lanes.ask('get.ratings', { query: { ids: ids.join(',') } });
    const second = await lanes.ask('get.ratings', { body: { ids }, query: { after: ids[0] ?? '', limit: '1' } });
    const removed = await lanes.ask('delete.ratings', { query: { ids: ids[0] ?? '' } });
    const left = await lanes.ask('get.ratings', { query: { ids: ids.join(',') } });

    expect(added).toMatchObject({ statusCode: 201, body: { items } });
    expect(listed).toEqual({ headers: {}, statusCode: 200, body: { items: made } });
    expect(second.body).toEqual({ items: [made[1]] });
    expect(removed).toEqual({ headers: {}, statusCode: 204, body: {} });
    expect(left.body).toEqual({ items: made.slice(1) });
  });

  test.each(['users', 'services'])('%s are added and listed', async (noun) => {
    const added = await lanes.ask(`post.${noun}`, { body: { items: [{ name: 'Ada 😀' }, { name: 'Bo' }] } });
    const made = added.body['items'] as { id: string }[];
    const listed = await lanes.ask(`get.${noun}`, { query: { ids: made.map(({ id }) => id).join(',') } });

    expect(added).toMatchObject({ statusCode: 201, body: { items: [{ name: 'Ada 😀' }, { name: 'Bo' }] } });
    expect(new Set(listed.body['items'] as unknown[])).toEqual(new Set(made));
  });

  test.each([
    {
      subject: 'post.ratings',
      question: { body: { items: [{ userId, serviceId, score: 6 }] } },
      path: 'items[0].score',
    },
    { subject: 'post.ratings', question: { body: {} }, path: 'items' },
    { subject: 'delete.ratings', question: {}, path: 'ids' },
    { subject: 'delete.ratings', question: { query: { ids: 'all' } }, path: 'ids[0]' },
    { subject: 'get.ratings', question: { query: { limit: '1001' } }, path: 'limit' },
    { subject: 'post.users', question: { body: { items: [{ name: 'a\u0000' }] } }, path: 'items[0].name' },
    { subject: 'get.services', question: { query: { after: 'x' } }, path: 'after' },
  ])('a mistake in $path of $subject is answered 422', async ({ subject, question, path }) => {
    expect(await lanes.ask(subject, question)).toMatchObject({ statusCode: 422, body: { errors: [{ path }] } });
  });

  test('one wrong item of two adds none', async () => {
    const by = randomUUID();

    const { statusCode } = await lanes.ask('post.ratings', {
      body: { items: [...score(by).items, { userId: by, serviceId, score: -1 }] },
    });

    expect([statusCode, await rowsOf(by)]).toEqual([422, 0]);
  });

  test('a subject that nobody answers gets 404, never silence', async () => {
    expect(await lanes.ask('get.planets')).toMatchObject({
      statusCode: 404,
      body: { errors: [{ path: '', message: 'nothing answers "get.planets"' }] },
    });
  });

  test('a message that is no request is terminated, not tried for ever', async () => {
    const before = (await lanes.consumer('blue')).delivered.consumer_seq;
    void lanes.ask('get.ratings', { payload: 'no JSON' });
    await until('it was taken', async () => (await lanes.consumer('blue')).delivered.consumer_seq === before + 1);

    await until('nothing waits', async () => (await lanes.consumer('blue')).num_ack_pending === 0);
    expect((await lanes.ask('get.ratings')).statusCode).toBe(200);
    expect((await lanes.consumer('blue')).delivered.consumer_seq).toBe(before + 2);
  });

  test('the same command again gets the answer of the first time and makes no second row', async () => {
    const by = randomUUID();
    const id = randomUUID();

    const first = await lanes.ask('post.ratings', { id, body: score(by, 4) });
    await until('the server forgot the id', async () => {
      void lanes.ask('post.ratings', { id, body: score(by, 1) });
      return lanes.answersTo(id).length > 1;
    });

    expect(lanes.answersTo(id)[1]).toEqual(first);
    expect(await rowsOf(by)).toBe(1);
  });

  test('/healthz, /readyz and /metrics answer, and nothing else does', async () => {
    expect(await worker.admin('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect(await worker.admin('/readyz')).toEqual({ status: 200, text: 'ready\n' });
    expect((await worker.admin('/')).status).toBe(404);
    expect(await worker.metric('headgate_handled_total{subject="unknown",status="404"}')).toBeGreaterThan(0);
    expect((await worker.admin('/metrics')).text).toMatch(/headgate_info\{app="app-\w+",lane="blue",service="rating"/);
  });
});

describe('a message is never lost and never done twice', () => {
  test('a worker killed -9 between effect and ack: one row, and the kept reply', async () => {
    const { app, env } = anApp();
    await using lanes = await openLanes(nats.url, app, { ackWaitMs: 1_000 });
    await using gate = await openGate(Number(new URL(nats.url).port));
    await using first = await startWorker({ ...env, NATS_URL: `nats://127.0.0.1:${gate.port}` });
    await first.untilReady();
    const by = randomUUID();
    const id = randomUUID();

    gate.hold();
    const asked = lanes.ask('post.ratings', { id, body: score(by) });
    await until('the effect is there', async () => (await rowsOf(by)) === 1);
    first.kill('SIGKILL');
    await first.exited;
    expect(lanes.answersTo(id)).toEqual([]);
    await using second = await startWorker(env);

    const { rows } = await database.query('select response from inbox where msg_id = $1', [id]);
    expect(await asked).toEqual(JSON.parse((rows[0] as { response: string }).response));
    expect(await rowsOf(by)).toBe(1);
    expect(await second.metric(`headgate_redelivered_total{stream="${app}-blue"}`)).toBe(1);
  });

  test('one command through both lanes is done once, and answered alike', async () => {
    const { app, env } = anApp();
    await using lanes = await openLanes(nats.url, app);
    await using _blue = await startWorker(env);
    await using _green = await startWorker({ ...env, HEADGATE_LANE: 'green' });
    const by = randomUUID();
    const id = randomUUID();

    const answers = await Promise.all(
      (['blue', 'green'] as const).map((lane) => lanes.ask('post.ratings', { lane, id, body: score(by) })),
    );

    expect(answers[0]?.statusCode).toBe(201);
    expect(answers[1]).toEqual(answers[0]);
    expect(await rowsOf(by)).toBe(1);
  });

  test('a handler that takes longer than ack_wait keeps its message', async () => {
    const { app, env } = anApp();
    await using lanes = await openLanes(nats.url, app, { ackWaitMs: 800 });
    await using worker = await startWorker(env);
    await worker.untilReady();
    const lock = await lockRatings();
    const begun = performance.now();

    const asked = lanes.ask('post.ratings', { id: 'slow', body: score(randomUUID()) });
    await until('three times ack_wait is over', () => performance.now() - begun > 2_400);
    const meanwhile = await lanes.consumer('blue');
    await lock[Symbol.asyncDispose]();

    expect((await asked).statusCode).toBe(201);
    expect(meanwhile).toMatchObject({ num_ack_pending: 1, num_redelivered: 0 });
    expect(lanes.answersTo('slow')).toHaveLength(1);
    expect(await worker.metric(`headgate_redelivered_total{stream="${app}-blue"}`)).toBe(0);
  });

  test('SIGTERM: what was begun is finished, what only waited goes to another worker at once, exit 0', async () => {
    const { app, env } = anApp();
    await using lanes = await openLanes(nats.url, app, { ackWaitMs: 30_000 });
    await lanes.putSources('green', []);
    await using leaving = await startWorker({ ...env, PARALLELISM: '1' });
    await using staying = await startWorker({ ...env, HEADGATE_LANE: 'green' });
    await Promise.all([leaving.untilReady(), staying.untilReady()]);
    await using lock = await lockRatings();
    const begun = lanes.ask('post.ratings', { body: score(randomUUID()) });
    await until('it has begun', async () => (await leaving.metric(`headgate_in_flight{stream="${app}-blue"}`)) === 1);
    const waiting = lanes.ask('post.users', { body: { items: [{ name: 'Ada' }] } });
    await until('both are with the first', async () => (await lanes.consumer('blue')).num_ack_pending === 2);
    await lanes.putSources('green', [`${app}-blue`, `${app}-green`]);

    const told = performance.now();
    leaving.kill('SIGTERM');
    expect((await waiting).statusCode).toBe(201);
    expect(performance.now() - told).toBeLessThan(1_500);
    expect(await leaving.admin('/readyz')).toEqual({ status: 503, text: 'shutting down\n' });
    await lock[Symbol.asyncDispose]();

    expect((await begun).statusCode).toBe(201);
    expect(await leaving.exited).toBe(0);
    expect(leaving.lines.at(-1)?.event).toBe('stopped');
    expect(await staying.metric('headgate_handled_total{subject="post.users",status="201"}')).toBe(1);
    expect(await staying.metric(`headgate_redelivered_total{stream="${app}-blue"}`)).toBe(1);
  });
});

describe('the source list', () => {
  test('an empty one stops the worker, which stays ready; its own lane in it starts it again', async () => {
    const { app, env } = anApp();
    await using lanes = await openLanes(nats.url, app);
    await using worker = await startWorker(env);
    await worker.untilReady();

    await lanes.putSources('blue', []);
    await until('nobody pulls', async () => (await lanes.consumer('blue')).num_waiting === 0);
    const asked = lanes.ask('get.ratings', { id: 'held' });
    await until('the message waits', async () => (await lanes.consumer('blue')).num_pending === 1);
    expect(await worker.admin('/readyz')).toEqual({ status: 200, text: 'ready\n' });
    expect(lanes.answersTo('held')).toEqual([]);
    await lanes.putSources('blue', [`${app}-blue`]);

    expect((await asked).statusCode).toBe(200);
  });

  test('the other lane in it is pulled from too, until it leaves the list', async () => {
    const { app, env } = anApp();
    await using lanes = await openLanes(nats.url, app);
    await using worker = await startWorker(env);
    await worker.untilReady();
    const backlog = lanes.ask('get.ratings', { lane: 'green' });

    await lanes.putSources('blue', [`${app}-blue`, `${app}-green`]);
    expect((await backlog).statusCode).toBe(200);
    expect((await lanes.ask('get.ratings')).statusCode).toBe(200);
    expect(await worker.metric(`headgate_acked_total{stream="${app}-green"}`)).toBe(1);
    await lanes.putSources('blue', [`${app}-blue`]);

    await until('nobody pulls green', async () => (await lanes.consumer('green')).num_waiting === 0);
    expect((await lanes.ask('get.ratings')).statusCode).toBe(200);
  });
});

test('the other lane may have a stream and a consumer that others named', async () => {
  const [{ app, env }, foreign] = [anApp(), anApp()];
  await using lanes = await openLanes(nats.url, app);
  await using others = await openLanes(nats.url, foreign.app);
  const other = {
    OTHER_STREAM_NAME: `${foreign.app}-blue`,
    OTHER_CONSUMER_NAME: `${foreign.app}-blue-rating`,
    HEADGATE_SERVICE: 'worker',
    SERVICE_CONSUMER_NAME: `${app}-blue-rating`,
  };
  await using worker = await startWorker({ ...env, ...other });
  await worker.untilReady();
  const backlog = others.ask('get.ratings');

  await lanes.putSources('blue', [`${app}-blue`, `${foreign.app}-blue`]);

  expect((await backlog).statusCode).toBe(200);
  expect((await lanes.ask('get.ratings')).statusCode).toBe(200);
});

describe('without its servers', () => {
  test('it waits for NATS, and finds lanes that were made anew after NATS was gone', async () => {
    const port = await freePort();
    const { app, env } = anApp();
    await using worker = await startWorker({ ...env, NATS_URL: `nats://127.0.0.1:${port}` });
    await until('it listens', () =>
      worker.admin('/healthz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    expect(await worker.admin('/readyz')).toEqual({ status: 503, text: 'NATS was never reached\n' });

    for (const round of ['first', 'second']) {
      await using own = await startNats({ port });
      await using lanes = await openLanes(own.url, app);
      expect((await lanes.ask('get.ratings', { id: round })).statusCode).toBe(200);
      await worker.untilReady();

      process.kill(own.pid, 'SIGKILL');
      await until('it is noticed', () => worker.lines.filter(({ event }) => event === 'nats-down').length > 0);
      expect((await worker.admin('/readyz')).status).toBe(200); // For the first 10 s.
    }
    worker.kill('SIGTERM');
    expect(await worker.exited).toBe(0);
  });

  test('it waits for Postgres, and does later what it could not do while Postgres was gone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headgate-rating-'));
    const port = await freePort();
    const { app, env } = anApp();
    try {
      await using lanes = await openLanes(nats.url, app);
      const url = `postgres://headgate:headgate@127.0.0.1:${port}/ratings`;
      await using worker = await startWorker({ ...env, DATABASE_URL: url });
      await until('it listens', () =>
        worker.admin('/healthz').then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
      await until('NATS is reached, and Postgres is not', async () => {
        const { status, text } = await worker.admin('/readyz');
        return status === 503 && text === 'the database was never reached\n';
      });
      const early = lanes.ask('get.ratings');

      const first = await startPostgres({ folder, port });
      expect((await early).statusCode).toBe(200);
      const sessions = await childrenOf(first.pid);
      process.kill(first.pid, 'SIGKILL');
      await first.ended;
      await until('its sessions have ended too', () => !sessions.some(isAlive));
      const asked = lanes.ask('post.ratings', { id: 'patient', body: score(randomUUID()) });
      await until(
        'it was given back',
        async () => (await worker.metric(`headgate_returned_total{stream="${app}-blue"}`)) > 0,
      );
      expect((await worker.admin('/readyz')).status).toBe(200); // For the first 10 s.

      await using second = await startPostgres({ folder, port });
      expect((await asked).statusCode).toBe(201);
      expect(lanes.answersTo('patient')).toHaveLength(1);
      const client = new pg.Client({ connectionString: second.url });
      await client.connect();
      expect((await client.query('select 1 from ratings')).rowCount).toBe(1);
      await client.end();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});

describe('the process', () => {
  test('an invalid environment is told whole, with exit 64', async () => {
    await using worker = await startWorker({ HEADGATE_LANE: 'red', NATS_URL: 'ftp://a' });

    expect(await worker.exited).toBe(64);
    expect(worker.lines.map(({ event }) => event)).toEqual(['config-invalid', 'config-invalid', 'config-invalid']);
  });

  test('a taken port is an error that says so, with exit 1', async () => {
    const { env } = anApp();
    const port = String(await freePort());
    await using first = await startWorker({ ...env, ADMIN_PORT: port });
    await until('it listens', () =>
      first.admin('/healthz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    await using second = await startWorker({ ...env, ADMIN_PORT: port });

    expect(await second.exited).toBe(1);
    expect(second.lines.at(-1)).toMatchObject({ event: 'failed', error: expect.stringContaining('EADDRINUSE') });
  });
});

async function childrenOf(pid: number): Promise<readonly number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
