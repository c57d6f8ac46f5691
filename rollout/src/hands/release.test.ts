import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
import { HeadgateError } from '../errors.ts';
import type { Platform } from '../platform/platform.ts';
import { systemNow } from './hands.ts';
import { handOver, needsRestore, restore, startRelease } from './release.ts';

/** Two releases are over, the second one's lane is live, and the first one's is at zero. */
async function pastKeepWarm() {
  const world = aPlatform();
  const hands = handsOn(world.ports, { spec: { ...quick, watchMs: 50, keepWarmMs: 50 } });
  await startRelease(hands, aRequest('v1'));
  const second = await startRelease(hands, aRequest('v2'));
  if (second.kind !== 'ended') throw new Error(second.kind);
  return { ...world, hands, head: second.head };
}

test('restore() goes back from the release that is named, and from none that is over', async () => {
  await using world = await pastKeepWarm();
  const { hands, head } = world;

  const stale = await restore(hands, undefined, { release: 1, reason: 'an old terminal' });
  const controlled = handsOn(world.ports, { driver: 'controller' }); // Nobody answers: a refusal alone ends it.
  const staleToo = await restore(controlled, undefined, { release: 1, reason: 'an old terminal' });
  const back = await restore(hands, undefined, { release: 2, reason: 'as asked' });

  expect(needsRestore(head, undefined, systemNow())).toBe(true);
  expect(stale).toEqual({
    kind: 'refused',
    code: 'REFUSED',
    text: 'Cannot roll back release 1 as it is not the current one: that is release 2',
  });
  expect(staleToo).toEqual(stale);
  expect(back).toMatchObject({ kind: 'ended', release: 3, head: { live: 'blue' } });
}, 60_000);

test('handOver() sees a release to its end where no controller would', async () => {
  await using world = aPlatform();

  const handed = await handOver(handsOn(world.ports), aRequest('v1'));

  expect(handed).toMatchObject({ kind: 'ended', release: 1, head: { live: 'blue' } });
}, 60_000);

/** A release runs, and whoever waits meets these ports. */
async function whileOneRuns(bakeMs: number) {
  const world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const running = startRelease(handsOn(world.ports, { spec: { ...quick, bakeMs } }), aRequest('v2'));
  const head = () => readHead(world.ports.journal, 'test', AbortSignal.timeout(1_000));
  const until = async (holds: (seen: Awaited<ReturnType<typeof head>>) => boolean) => {
    for (const begun = Date.now(); !holds(await head()); await sleep(10))
      if (Date.now() - begun > 10_000) throw new Error('it has not come to that');
  };
  await until(({ release }) => release?.id === 2);
  return { ...world, running, head, until };
}

test('startRelease() waits out a cluster that is away while another release runs', async () => {
  await using world = await whileOneRuns(1_500);
  let away = false;
  const ask = <T>(answer: () => Promise<T>) =>
    away ? Promise.reject(new HeadgateError('CLUSTER_UNREACHABLE', 'Cannot ask', { hint: 'wait' })) : answer();
  const { journal, lock } = world.ports;
  const ports: Platform = {
    ...world.ports,
    journal: { ...journal, read: (signal) => ask(() => journal.read(signal)) },
    lock: { ...lock, acquire: (holder, signal) => ask(() => lock.acquire(holder, signal)) },
  };
  const said: string[] = [];
  const third = startRelease(handsOn(ports, { say: (text) => said.push(text) }), aRequest('v3'));
  await world.until(({ waiting }) => waiting !== undefined);

  away = true;
  await sleep(500);
  away = false;

  expect(await third).toMatchObject({ kind: 'ended', release: 3 });
  expect(said).toContainEqual(expect.stringContaining('cannot be read; this command waits'));
}, 60_000);

test('startRelease() takes its order back when it is told to go while it waits', async () => {
  await using world = await whileOneRuns(3_000);
  const told = new AbortController();
  const third = startRelease(handsOn(world.ports, { signal: told.signal }), aRequest('v3'));
  await world.until(({ waiting }) => waiting !== undefined);

  told.abort();

  await expect(third).rejects.toThrow('abort');
  await world.until(({ waiting }) => waiting === undefined);
  expect((await world.head()).release).toMatchObject({ id: 2, state: { phase: { kind: 'holding' } } });
  expect(await world.running).toMatchObject({ kind: 'ended', release: 2 });
}, 60_000);
