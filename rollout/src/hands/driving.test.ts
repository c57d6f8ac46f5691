import { expect, test } from '@jest/globals';
import { readHead } from '../engine/book.ts';
import { aPlatform, aRequest, handsOn, isAt, quick } from '../engine.rig.ts';
import type { Platform } from '../platform/platform.ts';
import type { Spec } from '../spec.ts';
import type { Hands } from './hands.ts';
import { startRelease } from './release.ts';

test('driveOver() goes on with the servers that a release was begun with, whatever whoever asks has in hand', async () => {
  await using world = aPlatform();
  const seen = new Set<string>();
  const portsOf = ({ queue }: Pick<Spec, 'queue'>): Platform => ({
    ...world.ports,
    workload: {
      ...world.ports.workload,
      async observe(lane, signal) {
        const { release } = await readHead(world.ports.journal, 'test', signal);
        seen.add(`${release?.id} at ${queue?.url}`);
        return world.ports.workload.observe(lane, signal);
      },
    },
    [Symbol.asyncDispose]: async () => {},
  });
  const handsAt = (url: string, rest: Parameters<typeof handsOn>[1] = {}): Hands => {
    const queue = { url, adopt: 'bind', existing: undefined } as const;
    const hands = handsOn(portsOf({ queue }), rest);
    return { ...hands, spec: { ...hands.spec, queue }, open: async (spec) => portsOf(spec) };
  };
  await startRelease(handsAt('a'), aRequest('v1'));
  const told = new AbortController();
  const left = startRelease(handsAt('a', { spec: { ...quick, bakeMs: 600 }, signal: told.signal }), aRequest('v2'));
  await isAt(world.ports, 'holding');
  told.abort();
  expect(await left).toMatchObject({ kind: 'interrupted' });

  const third = await startRelease(handsAt('b'), aRequest('v3'));

  expect(third).toMatchObject({ kind: 'ended', release: 3, head: { live: 'blue' } });
  expect([...seen].sort()).toEqual(['1 at a', '2 at a', '3 at b']);
}, 60_000);
