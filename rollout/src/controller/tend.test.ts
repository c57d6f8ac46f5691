import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import { act } from '../hands/act.ts';
import { startRelease } from '../hands/release.ts';
import type { Platform } from '../platform/platform.ts';
import type { ReleaseSpec, Spec } from '../spec.ts';
import { isWaiting, startController, stopControllers } from './started.rig.ts';
import { until } from './until.rig.ts';

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

test.each([{ phase: 'promoted' }, { phase: 'holding' }])(
  'tend() refuses what it does not know, once, while a release is $phase',
  async ({ phase }) => {
    await using world = aPlatform();
    const { wishes, journal } = world.ports;
    const end = new AbortController();
    const { signal } = end;
    const changes = new EventTarget();
    const told = <T>(changed: Promise<T>) => changed.finally(() => changes.dispatchEvent(new Event('change')));
    let written = 0;
    const ports: Platform = {
      ...world.ports,
      wishes: {
        ...wishes,
        add: (wish, within) => told(wishes.add(wish, within)),
        remove: (ids, within) => told(wishes.remove(ids, within)),
      },
      journal: {
        ...journal,
        write(head, expected, within) {
          written++;
          return told(journal.write(head, expected, within));
        },
      },
    };
    startController(ports, 'controller-1', {
      async *news(within) {
        const ofApp = { kind: 'app', app: 'test' } as const;
        for (yield ofApp; !within.aborted; yield ofApp)
          await once(changes, 'change', { signal: within }).catch(() => {});
      },
    });
    const asking = { driver: 'controller', signal } as const;
    await startRelease(handsOn(ports, asking), aRequest('v1'));
    if (phase === 'holding')
      void startRelease(handsOn(ports, { ...asking, spec: { ...quick, bakeMs: 100_000 } }), aRequest('v2')).catch(
        () => {},
      );
    await isAt(ports, phase);

    const act = { kind: 'freeze', release: null, reason: 'a newer Headgate knows how' };
    const id = await ports.wishes.add({ act, actor: 'kim@desk', at: Date.now() }, signal);
    await until(async () => (await wishes.read(signal)).length === 0, signal);

    const { answers } = await readHead(journal, 'test', signal);
    expect(answers.find((one) => one.id === id)).toMatchObject({
      kind: 'refused',
      text: expect.stringMatching(/"freeze".*older/),
    });
    written = 0;
    await sleep(500);
    expect(written).toBe(0);
    end.abort();
  },
  60_000,
);
