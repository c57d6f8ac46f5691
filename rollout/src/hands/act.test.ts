import { afterEach, expect, jest, test } from '@jest/globals';
import { startController, stopControllers } from '../controller/started.rig.ts';
import { aPlatform, aRequest, handsOn, isAt, isOpen, quick } from '../engine.rig.ts';
import { HeadgateError } from '../errors.ts';
import { openMemoryJournal } from '../journal/memory.ts';
import type { Platform } from '../platform/platform.ts';
import { act } from './act.ts';
import { startRelease } from './release.ts';

afterEach(stopControllers);

const slow = { ...quick, bakeMs: 100_000 };
const cause = new HeadgateError('CLUSTER_UNREACHABLE', 'connect ECONNREFUSED', { hint: '' });

/** As one command has them: the journal cannot be read so many times, from when its wish is given or it asks who has the lock. */
function awayFrom(when: 'given' | 'asking', ports: Platform, times: number): Platform {
  let left = 0;
  return {
    ...ports,
    wishes: {
      ...ports.wishes,
      async add(wish, signal) {
        const id = await ports.wishes.add(wish, signal);
        if (when === 'given') left = times;
        return id;
      },
    },
    lock: {
      ...ports.lock,
      async holding(signal) {
        if (when === 'asking') left = times;
        return ports.lock.holding(signal);
      },
    },
    journal: {
      ...ports.journal,
      async read(signal) {
        if (left === 0) return ports.journal.read(signal);
        left--;
        throw new HeadgateError('JOURNAL_UNREADABLE', 'Cannot read configmap test', { hint: '', cause });
      },
    },
  };
}

test.each(['hold', 'promote', 'rollback'] as const)(
  'act() waits for the answer to a %s although the journal cannot be read for a while',
  async (kind) => {
    await using world = aPlatform();
    startController(world.ports);
    const told = new AbortController();
    const asking = { driver: 'controller', spec: slow } as const;
    await startRelease(handsOn(world.ports, { driver: 'controller' }), aRequest('v1'));
    void startRelease(handsOn(world.ports, { ...asking, signal: told.signal }), aRequest('v2')).catch(() => {});
    await isAt(world.ports, 'holding');
    const said: string[] = [];
    const hands = handsOn(awayFrom('given', world.ports, 5), { ...asking, say: (text) => said.push(text) });

    const handled = await act(hands, kind, { release: 2, reason: 'as asked' });

    expect(handled).toMatchObject({ kind: 'done', text: expect.stringContaining('kim@desk') });
    expect(said).toEqual([expect.stringMatching(/^the journal cannot be read; /)]);
    told.abort();
  },
  60_000,
);

test('act() says what it has given when its answer cannot be read in the end', async () => {
  await using world = aPlatform();
  await startRelease(handsOn(world.ports), aRequest('v1'));
  const hands = handsOn(awayFrom('given', world.ports, Number.POSITIVE_INFINITY), { driver: 'controller' });
  let laterMs = 0;
  const real = performance.now.bind(performance);
  using _ = jest.spyOn(performance, 'now').mockImplementation(() => {
    laterMs += 60_000;
    return real() + laterMs;
  });

  const asked = act(hands, 'rollback', { release: 1, reason: 'as asked' });

  await expect(asked).rejects.toMatchObject({
    code: 'JOURNAL_UNREADABLE',
    message: 'Cannot tell whether this rollback was taken up as the journal cannot be read: it is given, not confirmed',
    hint: expect.stringContaining('`headgate status`'),
  });
}, 60_000);

test('act() closes the candidate of a driver that hangs although the journal cannot be read for a while', async () => {
  await using world = aPlatform();
  const { takeOver, ...records } = openMemoryJournal();
  const ports = { ...world.ports, ...records };
  const told = new AbortController();
  await startRelease(handsOn(ports), aRequest('v1'));
  void startRelease(handsOn(ports, { spec: slow, signal: told.signal }), aRequest('v2')).catch(() => {});
  await isAt(ports, 'holding');
  const hangs = takeOver('ghost');
  told.abort();

  const asked = act(handsOn(awayFrom('asking', ports, 5)), 'rollback', { release: 2, reason: 'as asked' });
  await isOpen(ports, 'green', 0);
  await hangs[Symbol.asyncDispose]();
  expect(await asked).toMatchObject({ kind: 'ended', release: 2 });
}, 60_000);
