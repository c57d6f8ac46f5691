import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, isAt } from '../engine.rig.ts';
import { HeadgateError } from '../errors.ts';
import type { Hands } from '../hands/hands.ts';
import { startRelease } from '../hands/release.ts';
import { waitFor } from '../hands/wait.ts';
import { openMemoryJournal } from '../journal/memory.ts';
import type { Platform } from '../platform/platform.ts';
import type { TrafficRouter } from '../traffic/traffic.ts';

/** The first weights that split users are in force some time after they are written. */
function late(traffic: TrafficRouter, ms: number): TrafficRouter {
  let waiting: Promise<unknown> | undefined;
  return {
    ...traffic,
    async setWeights(weights, signal) {
      if (weights.blue > 0 && weights.green > 0) waiting ??= sleep(ms);
      if (waiting === undefined) return traffic.setWeights(weights, signal);
      void waiting.then(() => traffic.setWeights(weights, AbortSignal.timeout(1_000)));
      return { kind: 'done' };
    },
  };
}

test('who goes on with an interrupted release does not judge it by a weight that is not in force yet', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const told = new AbortController();
  const emit: Hands['emit'] = (occurrence) => {
    if (occurrence.kind === 'decided' && occurrence.decision.state.phase.kind === 'holding') told.abort();
  };
  await startRelease(handsOn(world.ports, { signal: told.signal, emit }), aRequest('v2'));
  const ports = { ...world.ports, traffic: late(world.traffic, 400) };

  await waitFor(handsOn(ports), 'ended', 30_000);

  const ended = await waitFor(handsOn(ports), 'ended', 1_000);
  expect(ended).toMatchObject({ head: { history: [{}, { outcome: 'promoted', text: expect.any(String) }] } });
}, 60_000);

test('who loses the lock takes it again when it is free, and sees the release to its end', async () => {
  await using world = aPlatform();
  const { takeOver, ...records } = openMemoryJournal();
  const ports = { ...world.ports, ...records };
  await startRelease(handsOn(ports), aRequest('v1'));
  const said: string[] = [];
  const releasing = startRelease(handsOn(ports, { say: (text) => said.push(text) }), aRequest('v2'));
  await isAt(ports, 'holding');

  const theirs = takeOver('lee@desk');
  await sleep(50);
  await theirs[Symbol.asyncDispose]();

  expect(await releasing).toMatchObject({ kind: 'ended', head: { history: [{}, { outcome: 'promoted' }] } });
  expect(said).toContain('the lock was lost; this command goes on when it is free');
  expect(await ports.lock.holding(AbortSignal.timeout(1_000))).toBeUndefined();
}, 60_000);

test('who loses the lock before the release has begun says so, and begins nothing', async () => {
  await using world = aPlatform();
  const { takeOver, ...records } = openMemoryJournal();
  const ports = { ...world.ports, ...records };
  const taking: Hands['say'] = () => void takeOver('lee@desk');

  const releasing = startRelease(handsOn(ports, { say: taking }), aRequest('v1'));

  await expect(releasing).rejects.toMatchObject({
    code: 'LOCK_HELD',
    message: expect.stringContaining('no longer ours'),
  });
});

test('who drives while the journal is taken away ends, and says that it is gone', async () => {
  await using world = aPlatform();
  const { journal } = world.ports;
  let isGone = false;
  const ports: Platform = {
    ...world.ports,
    journal: {
      ...journal,
      read: async (signal) => (isGone ? undefined : journal.read(signal)),
      write: async (...write) => (isGone ? { kind: 'conflict' } : journal.write(...write)),
    },
  };
  await startRelease(handsOn(ports), aRequest('v1'));
  const releasing = startRelease(handsOn(ports), aRequest('v2'));
  await isAt(ports, 'holding');

  isGone = true;

  await expect(releasing).rejects.toMatchObject({
    code: 'JOURNAL_UNREADABLE',
    message: 'Cannot go on driving test as the journal that had it is gone',
  });
}, 60_000);

test('who loses the lock to a cluster that refuses to give it again ends with what the cluster says', async () => {
  await using world = aPlatform();
  const { takeOver, ...records } = openMemoryJournal();
  const refused = new HeadgateError('CLUSTER_REFUSED', 'Cannot create lease: 404 "namespaces not found"', { hint: '' });
  const acquire: Platform['lock']['acquire'] = async () => {
    throw new HeadgateError('JOURNAL_UNWRITABLE', refused.message, { hint: '', cause: refused });
  };
  const ports = { ...world.ports, ...records, lock: { ...records.lock } };
  await startRelease(handsOn(ports), aRequest('v1'));
  const releasing = startRelease(handsOn(ports), aRequest('v2'));
  await isAt(ports, 'holding');

  Object.assign(ports.lock, { acquire });
  takeOver('the end of the namespace');

  await expect(releasing).rejects.toMatchObject({ code: 'JOURNAL_UNWRITABLE', message: refused.message });
}, 60_000);
