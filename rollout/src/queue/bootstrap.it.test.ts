import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Change } from './bootstrap.ts';
import { planBootstrap } from './bootstrap.ts';
import { openConnection } from './connection.ts';
import { makeForeign, makeQueue, type NatsRig, publishRequest, pull, startNatsRig } from './jetstream.rig.ts';

const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };
const wider = { ...services, rating: { pulls: ['get.ratings', 'post.ratings'] } };
const signal = AbortSignal.timeout(3_600_000);
const aRequest = { id: 'a', subject: 'get.ratings', inbox: '_INBOX.nobody' };
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

    const planned = await planBootstrap(connection, { app: 'shop', services, existing: undefined }, signal);
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

  test('says all that what ran before lacks, makes the other lane once it lacks nothing, and leaves it as it is', async () => {
    await using foreign = await makeForeign(rig.nats);
    await foreign.edit({ subjects: ['get.ratings'] });
    publishRequest(rig.nats, { app: 'none', existing: foreign, lane: 'blue', ...aRequest });
    (await pull(rig.nats, 'requests.rating-worker', 2_000))!.respond('+ACK');
    const make = () => makeQueue(rig.server.url, 'taken', wider, foreign);

    await expect(make()).rejects.toMatchObject({
      code: 'QUEUE_CONFIG_DIFFERS',
      message: [
        'Cannot use stream requests as its retention must be "interest": current value is ""limits""',
        'Cannot use stream requests as its subjects must be "such that they have post.ratings": current value is "["get.ratings"]"',
      ].join('\n'),
    });
    await foreign.edit({ retention: 'interest', subjects: ['*.ratings'] });
    const manager = await rig.nats.jetstreamManager();
    const before = await manager.streams.info('requests');
    const done = await make();

    expect(inWords(done)).toEqual([
      'make stream dlq-taken',
      'make stream taken-green',
      'make consumer taken-green-rating',
    ]);
    expect(await make()).toEqual([]);
    expect(await manager.streams.info('requests')).toMatchObject({ config: before.config, created: before.created });
    expect(before.state.messages).toBe(0); // What was done is gone with the old retention.
  });

  test('refuses to take a subject away', async () => {
    const app = await rig.freshApp(wider);

    await expect(makeQueue(rig.server.url, app, services)).rejects.toMatchObject({ code: 'QUEUE_CONFIG_DIFFERS' });
  });
});
