import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { headers } from 'nats';
import { startNats } from '../platform/local/servers/index.ts';
import { tied } from '../platform/local/servers/process.ts';
import { limits } from './description.ts';
import {
  deadLettersOf,
  makeQueue,
  type NatsRig,
  openContractRig,
  publishRequest,
  pull,
  startNatsRig,
} from './jetstream.rig.ts';
import { openJetStreamQueue } from './jetstream.ts';
import { deadLetterSubject } from './names.ts';
import { describeWorkQueue } from './queue.contract.ts';
import { openClient } from './worker.rig.ts';

const services = { rating: { pulls: ['get.ratings'] } };
const signal = AbortSignal.timeout(3_600_000);
let rig: NatsRig;

beforeAll(async () => {
  rig = await startNatsRig();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

describeWorkQueue('jetstream', () => openContractRig(rig));

async function eventually<T>(read: () => Promise<T> | T, isSo: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await read();
    if (isSo(value)) return value;
    if (tries === 500) throw new Error(`Not so within 5 s: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** An engine that answers what is left in lane green until there is nothing. */
function answering(app: string): ChildProcess {
  const program = fileURLToPath(new URL('./answering.rig.ts', import.meta.url));
  const [service, { pulls }] = Object.entries(services)[0]!;
  const args = ['--import', 'tsx', '--conditions=source', program, rig.server.url, app, service, ...pulls];
  return spawn(...tied(process.execPath, args), { stdio: 'inherit' });
}

describe('openJetStreamQueue()', () => {
  test('lifts a fence for parked pulls in about 100 ms, and clears its end from the config', async () => {
    const app = await rig.freshApp(services);
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
    const path = `${app}-green.${app}-green-rating`;
    await queue.fence('green', 15_000, signal);
    publishRequest(rig.nats, { app, lane: 'green', id: 'a', subject: 'get.ratings', inbox: '_INBOX.nobody' });
    const woken = pull(rig.nats, path, 10_000).then(() => performance.now());
    await eventually(
      () => queue.observe('green', signal),
      ({ consumers }) => consumers['rating']!.waiting === 1,
    );

    const lifted = performance.now();
    await queue.unfence('green', signal);

    expect((await woken) - lifted).toBeLessThan(400);
    const manager = await rig.nats.jetstreamManager();
    const { config } = await manager.consumers.info(`${app}-green`, `${app}-green-rating`);
    expect(config).not.toHaveProperty('pause_until');
  });

  test('copies, answers and deletes dead letters, and a copy that a dead engine left is not doubled', async () => {
    const app = await rig.freshApp(services);
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
    const client = openClient(rig.nats, { app, existing: undefined });
    client.send('green', ['x', 'y']);
    for (let attempts = 0; attempts < 10; attempts++) {
      (await pull(rig.nats, `${app}-green.${app}-green-rating`, 2_000))!.respond('-NAK');
    }
    await pull(rig.nats, `${app}-green.${app}-green-rating`, 50); // Now the server notices.
    const look = await eventually(
      () => queue.observe('green', signal),
      ({ consumers }) => consumers['rating']!.ackPending === 0 && consumers['rating']!.deliveredConsumerSeq === 10,
    );
    const copied = headers();
    copied.set('Nats-Msg-Id', 'x:dead');
    await rig.nats.request(deadLetterSubject(app, 'green'), 'the copy of x', { headers: copied, timeout: 2_000 });

    const disposed = await queue.disposeDead('green', look.consumers['rating']!.deliveredStreamSeq, signal);

    expect(disposed).toBe(2);
    expect((await queue.observe('green', signal)).messages).toBe(0);
    await eventually(
      () => client.answers,
      (answers) => answers.size === 2,
    );
    expect(Object.fromEntries(client.answers)).toEqual({ x: [500], y: [500] });
    const letters = await deadLettersOf(rig.nats, app);
    expect(letters.map((letter) => letter.headers?.get('Nats-Msg-Id'))).toEqual(['x:dead', 'y:dead']);
    expect(letters[1]!.headers?.get('Headgate-Subject')).toBe('get.ratings');
    expect(JSON.parse(letters[1]!.text)).toHaveProperty('originReplyTo');
  });

  test('answers 503 to each inbox that waits, and copies a request that came twice once', async () => {
    const app = await rig.freshApp(services);
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
    const [client, again] = [openClient(rig.nats, { app, existing: undefined }), '_INBOX.again'];
    const heard = rig.nats.subscribe(again, { max: 1 });
    client.send('green', ['x', 'y']);
    await rig.nats.flush();
    await new Promise((resolve) => setTimeout(resolve, 2 * limits.duplicateWindowMs)); // A client's retry comes later than that.
    publishRequest(rig.nats, { app, lane: 'green', id: 'x', subject: 'get.ratings', inbox: again });
    await eventually(
      () => queue.observe('green', signal),
      ({ messages }) => messages === 3,
    );

    await queue.answerLeft('green', 3, signal);

    for await (const message of heard) expect(message.json()).toMatchObject({ statusCode: 503 });
    expect(Object.fromEntries(client.answers)).toEqual({ x: [503], y: [503] });
    const letters = await deadLettersOf(rig.nats, app);
    expect(letters.map((letter) => letter.headers?.get('Nats-Msg-Id'))).toEqual(['x:dead', 'y:dead']);
  });

  test('goes on with what is left where an engine was killed: each client hears 503, each dead letter is there once', async () => {
    const app = await rig.freshApp(services);
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
    const client = openClient(rig.nats, { app, existing: undefined });
    const sent = Array.from({ length: 3_000 }, (_, i) => `m${i}`);
    client.send('green', sent);
    const left = async () => (await queue.observe('green', signal)).messages;
    await eventually(left, (messages) => messages === sent.length);

    const kills = 4;
    for (let kill = 1; kill <= kills; kill++) {
      const engine = answering(app);
      await eventually(left, (messages) => messages < sent.length - kill * 500);
      engine.kill('SIGKILL');
      await once(engine, 'exit');
    }
    expect(await left()).toBeGreaterThan(0);
    await once(answering(app), 'exit');

    expect(await left()).toBe(0);
    expect([...client.answers.keys()].sort()).toEqual([...sent].sort());
    expect(new Set([...client.answers.values()].flat())).toEqual(new Set([503]));
    // A proxy hears the first one. Only what was on its way at a kill is answered again.
    expect([...client.answers.values()].flat().length - sent.length).toBeLessThanOrEqual(kills * 32);
    const letters = await deadLettersOf(rig.nats, app);
    expect(letters.map((letter) => letter.headers?.get('Nats-Msg-Id'))).toEqual(sent.map((id) => `${id}:dead`));
  }, 60_000);

  test('two writers of one source list both get through, and one list stands', async () => {
    const app = await rig.freshApp(services);
    await using one = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
    await using other = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });

    await Promise.all([
      one.setSources('green', ['green'], signal),
      other.setSources('green', [], signal),
      one.setSources('green', ['blue', 'green'], signal),
    ]);

    const [seen, seenByOther] = [await one.observe('green', signal), await other.observe('green', signal)];
    expect([[], ['green'], ['blue', 'green']]).toContainEqual(seen.sources);
    expect(seenByOther.sources).toEqual(seen.sources);
  });

  test('a source list that is none of ours is refused with its value, and can be put right', async () => {
    const app = await rig.freshApp(services);
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
    await rig.nats.request(`$KV.headgate.sources.${app}.blue`, '["elsewhere"]');

    await expect(queue.observe('blue', signal)).rejects.toMatchObject({
      code: 'QUEUE_UNREACHABLE',
      message: expect.stringContaining('["elsewhere"]'),
    });

    await queue.setSources('blue', ['blue'], signal);
    expect((await queue.observe('blue', signal)).sources).toEqual(['blue']);
  });

  test('opens without a server, finds it later, and says so when a restart has lost the memory streams', async () => {
    await using first = await startNats();
    const port = Number(new URL(first.url).port);
    await first[Symbol.asyncDispose]();
    await using queue = openJetStreamQueue({ app: 'late', services, existing: undefined, url: first.url });
    await expect(queue.observe('blue', signal)).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });

    await using second = await startNats({ port });
    await expect(queue.observe('blue', signal)).rejects.toMatchObject({
      hint: expect.stringContaining('headgate bootstrap'),
    });
    await makeQueue(second.url, 'late', services);
    const before = await queue.observe('blue', signal);
    await second[Symbol.asyncDispose]();
    await using third = await startNats({ port });
    await makeQueue(third.url, 'late', services);

    const after = await queue.observe('blue', signal);
    expect(after.epoch).not.toBe(before.epoch);
  });
});
