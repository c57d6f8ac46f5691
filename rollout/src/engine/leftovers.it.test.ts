import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn } from '../engine.rig.ts';
import { startRelease } from '../hands/release.ts';
import { deadLettersOf, pull, startNatsRig } from '../queue/jetstream.rig.ts';
import { openJetStreamQueue } from '../queue/jetstream.ts';
import { consumerPath } from '../queue/names.ts';
import { openClient, startWorker } from '../queue/worker.rig.ts';
import { readHead } from './book.ts';

const lane = 'green';
const services = { rating: { pulls: ['get.ratings'] } };

/** The queue is real, and its workers follow their source lists; all else is in memory. */
test('a release copies what died in its lane after an earlier one to the dead letters, and goes on', async () => {
  await using rig = await startNatsRig();
  const queueApp = { app: await rig.freshApp(services), existing: undefined };
  await using queue = openJetStreamQueue({ ...queueApp, services, url: rig.server.url });
  await using world = aPlatform();
  const hands = handsOn({ ...world.ports, queue }, { signal: AbortSignal.timeout(25_000) });
  const blue = await startWorker(rig.nats, { ...queueApp, lane: 'blue', service: 'rating' }, async () => {});
  await startRelease(hands, aRequest('v1'));
  const client = openClient(rig.nats, queueApp);
  client.send(lane, ['poison']);
  const path = consumerPath(queueApp, lane, 'rating');
  for (let attempt = 1; attempt <= 5; attempt++) (await pull(rig.nats, path, 1_000))?.respond('-NAK');
  await pull(rig.nats, path, 50); // The server gives a message up when it would deliver it once more.
  const green = await startWorker(rig.nats, { ...queueApp, lane, service: 'rating' }, async () => {});

  const second = await startRelease(hands, aRequest('v2'));

  expect(second.kind).toBe('ended');
  const { history } = await readHead(world.ports.journal, 'test', hands.signal);
  expect(history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted']);
  const letters = await deadLettersOf(rig.nats, queueApp.app);
  expect(letters.map(({ headers }) => headers?.get('Nats-Msg-Id'))).toEqual(['poison:dead']);
  expect(Object.fromEntries(client.answers)).toEqual({ poison: [500] });
  await Promise.all([blue.stop(), green.stop()]);
}, 60_000);

test('with deadLetterBacklog it waits for nobody: what waits in its lane is answered with 503, and no version gets it', async () => {
  await using rig = await startNatsRig();
  const queueApp = { app: await rig.freshApp(services), existing: undefined };
  await using queue = openJetStreamQueue({ ...queueApp, services, url: rig.server.url });
  await using world = aPlatform();
  const hands = handsOn({ ...world.ports, queue }, { signal: AbortSignal.timeout(25_000) });
  const handled: string[] = [];
  const handle = async (id: string) => void handled.push(id);
  const blue = await startWorker(rig.nats, { ...queueApp, lane: 'blue', service: 'rating' }, handle);
  await startRelease(hands, aRequest('v1'));
  await queue.setSources(lane, [], hands.signal); // As an earlier way back has left it.
  const client = openClient(rig.nats, queueApp);
  const green = await startWorker(rig.nats, { ...queueApp, lane, service: 'rating' }, handle);
  client.send(lane, ['a', 'b', 'c']);
  await rig.nats.flush();

  const second = await startRelease(hands, { ...aRequest('v2'), deadLetterBacklog: true });

  expect(second.kind).toBe('ended');
  const { history } = await readHead(world.ports.journal, 'test', hands.signal);
  expect(history.map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted']);
  const letters = await deadLettersOf(rig.nats, queueApp.app);
  expect(letters.map(({ headers }) => headers?.get('Nats-Msg-Id'))).toEqual(['a:dead', 'b:dead', 'c:dead']);
  expect(Object.fromEntries(client.answers)).toEqual({ a: [503], b: [503], c: [503] });
  expect(handled).toEqual([]);
  await Promise.all([blue.stop(), green.stop()]);
}, 60_000);
