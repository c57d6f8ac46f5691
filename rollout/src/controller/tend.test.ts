import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import type { Platform } from '../platform/platform.ts';
import type { ReleaseSpec, Spec } from '../spec.ts';
import { isWaiting, startController, stopControllers } from './started.rig.ts';

afterEach(stopControllers);

/** Notes whose servers each release is driven with, once for each that looks at its lanes. */
function opener(ports: Platform) {
  const seen = new Set<string>();
  const open = ({ queue }: Spec): Platform => ({
    ...ports,
    workload: {
      ...ports.workload,
      async observe(lane, signal) {
        const { release } = await readHead(ports.journal, 'test', signal);
        seen.add(`${release?.id} at ${queue?.url}`);
        return ports.workload.observe(lane, signal);
      },
    },
    [Symbol.asyncDispose]: async () => {},
  });
  return { seen, open };
}

test.each([{ isTakenOver: false }, { isTakenOver: true }])(
  'tend() drives what runs with the servers that it was begun with, and what waited with its own: $isTakenOver',
  async ({ isTakenOver }) => {
    await using world = aPlatform();
    const { seen, open } = opener(world.ports);
    const first = startController(world.ports, 'controller-1', { open });
    const handsWith = (url: string, spec: ReleaseSpec = quick) => {
      const hands = handsOn(world.ports, { driver: 'controller', spec });
      return { ...hands, spec: { ...hands.spec, queue: { url, adopt: 'bind', existing: undefined } as const } };
    };
    await startRelease(handsWith('a'), aRequest('v1'));
    const second = startRelease(handsWith('a', { ...quick, bakeMs: 100_000 }), aRequest('v2'));
    await isAt(world.ports, 'holding');
    const third = startRelease(handsWith('b'), aRequest('v3'));
    await isWaiting(world.ports);
    if (isTakenOver) {
      seen.delete('2 at a');
      startController(world.ports, 'controller-2', { open });
      first.stop();
      await first.ended;
      while (![...seen].some((one) => one.startsWith('2'))) await sleep(10);
    }

    await act(handsWith('c'), 'rollback', { release: 2, reason: 'no' });

    expect(await second).toMatchObject({ kind: 'ended' });
    expect(await third).toMatchObject({ kind: 'ended', release: 3, head: { live: 'green' } });
    expect([...seen].sort()).toEqual(['1 at a', '2 at a', '3 at b']);
  },
  60_000,
);
