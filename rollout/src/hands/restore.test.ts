import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { isWaiting, startController, stopControllers } from '../controller/started.rig.ts';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import type { Platform } from '../platform/platform.ts';
import { type Handled, systemNow } from './hands.ts';
import { needsRestore, restore, startRelease } from './release.ts';

afterEach(stopControllers);

const slow = { ...quick, bakeMs: 100_000 };
const back = { release: undefined, reason: 'v1 was the last good one' };

async function historyOf({ journal }: Platform) {
  const { history } = await readHead(journal, 'test', AbortSignal.timeout(1_000));
  return history.map(({ id, outcome, text }) => `${id} ${outcome}${outcome === 'rolledBack' ? `: ${text}` : ''}`);
}

const gone = '3 rolledBack: rolled back by kim@desk: v1 was the last good one';

describe.each([{ driver: 'controller' }, {}] as const)(
  'restore() to a named revision while another release runs %j',
  (who) => {
    /** v2 is live, and v3 has weight, which nobody takes away for a long time. */
    async function aBadRelease() {
      const world = aPlatform();
      if ('driver' in who) startController(world.ports);
      await startRelease(handsOn(world.ports, who), aRequest('v1'));
      await startRelease(handsOn(world.ports, who), aRequest('v2'));
      const bad = startRelease(handsOn(world.ports, { ...who, spec: slow }), aRequest('v3'));
      await isAt(world.ports, 'holding');
      return { ...world, bad };
    }

    test('rolls that one back first', async () => {
      await using world = await aBadRelease();

      const handled = await restore(handsOn(world.ports, who), 'v1', back);

      expect(handled).toMatchObject({
        kind: 'ended',
        release: 4,
        head: { live: 'blue', lanes: { blue: { id: 'v1000000' } } },
      });
      expect(await world.bad).toMatchObject({ kind: 'ended', release: 3 });
      expect(await historyOf(world.ports)).toEqual(['1 promoted', '2 promoted', gone, '4 promoted']);
    }, 60_000);

    test('comes before what waits, and nothing that is ordered meanwhile comes before it', async () => {
      await using world = await aBadRelease();
      const hands = handsOn(world.ports, who);
      const before = startRelease(hands, aRequest('v4'));
      await isWaiting(world.ports);

      const restored = restore(hands, 'v1', back);
      while ((await isWaiting(world.ports)).waiting?.order.restores !== true) await sleep(10);
      const after = startRelease(hands, aRequest('v5'));

      expect(await restored).toMatchObject({ kind: 'ended', release: 4 });
      const refused: Partial<Handled> = { kind: 'refused', code: 'REFUSED' };
      expect(await before).toMatchObject(refused);
      expect(await after).toMatchObject(refused);
      expect((await historyOf(world.ports)).slice(2)).toEqual([gone, '4 promoted']);
    }, 60_000);
  },
);

test('restore() ends with its own hand what an earlier driver left, and does not drive it forward first', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  await startRelease(handsOn(world.ports), aRequest('v2'));
  const told = new AbortController();
  const left = startRelease(handsOn(world.ports, { spec: slow, signal: told.signal }), aRequest('v3'));
  await isAt(world.ports, 'holding');
  told.abort();
  expect(await left).toMatchObject({ kind: 'interrupted' });

  const handled = await restore(handsOn(world.ports), 'v1', back);

  expect(handled).toMatchObject({ kind: 'ended', release: 4 });
  expect((await historyOf(world.ports)).slice(2)).toEqual([gone, '4 promoted']);
}, 60_000);

test('needsRestore() of the version that a rollback brings back anyway: it waits for no start checks', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const second = await startRelease(handsOn(world.ports), aRequest('v2'));
  if (second.kind !== 'ended') throw new Error(second.kind);

  expect(needsRestore(second.head, 'v1', systemNow())).toBe(false);
  expect(needsRestore(second.head, 'v0', systemNow())).toBe(true);
}, 60_000);
