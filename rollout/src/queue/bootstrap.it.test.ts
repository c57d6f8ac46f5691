import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Change } from './bootstrap.ts';
import { planBootstrap } from './bootstrap.ts';
import { openConnection } from './connection.ts';
import { makeQueue, type NatsRig, publishRequest, startNatsRig } from './jetstream.rig.ts';

const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };
const wider = { ...services, rating: { pulls: ['get.ratings', 'post.ratings'] } };
const signal = AbortSignal.timeout(3_600_000);
let rig: NatsRig;

beforeAll(async () => {
  rig = await startNatsRig();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const inWords = (changes: readonly Change[]): readonly string[] =>
  changes.map(({ kind, object }) => `${kind} ${object.kind} ${object.name}`);

describe('bootstrap()', () => {
  test('makes what planBootstrap() says, and then has nothing to do', async () => {
    await using connection = openConnection('shop', rig.server.url);

    const planned = await planBootstrap(connection, { app: 'shop', services }, signal);
    const done = await makeQueue(rig.server.url, 'shop', services);
    const again = await makeQueue(rig.server.url, 'shop', services);

    expect(inWords(planned)).toEqual([
      'make stream KV_headgate',
      'make stream dlq-shop',
      'make stream shop-blue',
      'make consumer shop-blue-rating',
      'make stream shop-green',
      'make consumer shop-green-rating',
    ]);
    expect(done).toEqual(planned);
    expect(again).toEqual([]);
  });

  test('adds a subject to both lanes, and a backlog stays', async () => {
    const app = await rig.freshApp(services);
    publishRequest(rig.nats, { app, lane: 'blue', id: 'a', subject: 'get.ratings', inbox: '_INBOX.nobody' });
    await rig.nats.flush();

    const done = await makeQueue(rig.server.url, app, wider);
    publishRequest(rig.nats, { app, lane: 'blue', id: 'b', subject: 'post.ratings', inbox: '_INBOX.nobody' });
    await rig.nats.flush();

    expect(inWords(done).filter((word) => !word.startsWith('addSubjects'))).toEqual([]);
    expect(done).toHaveLength(4);
    const manager = await rig.nats.jetstreamManager();
    expect((await manager.consumers.info(`${app}-blue`, `${app}-blue-rating`)).num_pending).toBe(2);
    expect(await makeQueue(rig.server.url, app, wider)).toEqual([]);
  });

  test('refuses what differs with object, field, wanted and current value, and changes nothing', async () => {
    const app = await rig.freshApp(services);
    const manager = await rig.nats.jetstreamManager();
    await manager.streams.update(`${app}-green`, { max_age: 60_000_000_000 });

    const refused = makeQueue(rig.server.url, app, wider);

    await expect(refused).rejects.toMatchObject({
      code: 'QUEUE_CONFIG_DIFFERS',
      message: expect.stringMatching(
        new RegExp(`stream ${app}-green as its max_age must be 120000000000: current value is "60000000000"`),
      ),
    });
    expect((await manager.streams.info(`${app}-blue`)).config.subjects).toEqual([`${app}-blue.get.ratings`]);
  });

  test('refuses to take a subject away', async () => {
    const app = await rig.freshApp(wider);

    await expect(makeQueue(rig.server.url, app, services)).rejects.toMatchObject({ code: 'QUEUE_CONFIG_DIFFERS' });
  });
});
