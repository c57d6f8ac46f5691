import { expect, test } from '@jest/globals';
import { aPlatform, aRequest, handsOn, quick } from '../engine.rig.ts';
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

  expect(needsRestore(head, systemNow())).toBe(true);
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
