import { expect, test } from '@jest/globals';
import { aPlatform, handsOn } from '../engine.rig.ts';
import { type ErrorCode, HeadgateError } from '../errors.ts';
import type { Platform } from '../platform/platform.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { waitFor } from './wait.ts';

const error = (code: ErrorCode, cause?: unknown) =>
  new HeadgateError(code, 'Cannot read the journal', { hint: '', cause });
const unreachable = error('JOURNAL_UNREADABLE', error('CLUSTER_UNREACHABLE'));
const refused = error('JOURNAL_UNREADABLE', error('CLUSTER_REFUSED'));

/** A release that runs, in a journal whose readings end as `fails` says. */
async function running(fails: () => HeadgateError | 'gone' | undefined, { isLate = false } = {}) {
  const world = aPlatform();
  const play = newPlay();
  for (const line of ['live v1', 'release v2', 'verdict hold', 'until holding (step 0)']) perform(play, line);
  const { journal } = world.ports;
  const { release } = play.head;
  if (release === undefined) throw new Error('nothing runs');
  const startedAt = Date.now() - (isLate ? release.plan.deadlineMs : 0);
  const begun = { ...play.head, release: { ...release, startedAt } };
  await journal.write(begun as never, undefined, AbortSignal.timeout(1_000));
  const ports: Platform = {
    ...world.ports,
    journal: {
      ...journal,
      async read(signal) {
        const failure = fails();
        if (failure instanceof HeadgateError) throw failure;
        return failure === 'gone' ? undefined : journal.read(signal);
      },
    },
  };
  const said: string[] = [];
  const hands = handsOn(ports, { driver: 'controller', say: (text) => said.push(text) });
  return { hands, said, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

test('waitFor() outlives a journal that is away for a while, and says so once', async () => {
  let reads = 0;
  await using waiting = await running(() => (++reads > 1 && reads < 6 ? unreachable : undefined));

  const ended = await waitFor(waiting.hands, 'ended', 1_500);

  expect(ended.kind).toBe('timeout');
  expect(waiting.said).toEqual([expect.stringMatching(/^the journal cannot be read; /)]);
});

test('waitFor() leaves a release that is held at its deadline to a person, and nothing is waited for', async () => {
  await using waiting = await running(() => undefined, { isLate: true });

  const held = await waitFor(waiting.hands, 'ended', 60_000);

  expect(held).toEqual({
    kind: 'held',
    release: 1,
    text: expect.stringMatching(/^release 1 is held: .*headgate promote/),
  });
});

test('waitFor() gives up on a journal that is away for longer than it would wait', async () => {
  let reads = 0;
  await using waiting = await running(() => (++reads > 1 ? unreachable : undefined));

  await expect(waitFor(waiting.hands, 'ended', 500)).rejects.toMatchObject({ code: 'JOURNAL_UNREADABLE' });
});

test('waitFor() does not wait for a journal that it has never read', async () => {
  await using waiting = await running(() => unreachable);

  await expect(waitFor(waiting.hands, 'ended', 60_000)).rejects.toMatchObject({ code: 'JOURNAL_UNREADABLE' });
});

test.each([
  { what: 'refuses', end: refused },
  { what: 'is gone', end: 'gone' },
] as const)('waitFor() does not wait for a journal that $what', async ({ end }) => {
  let reads = 0;
  await using waiting = await running(() => (++reads > 1 ? end : undefined));

  await expect(waitFor(waiting.hands, 'ended', 60_000)).rejects.toMatchObject({ code: 'JOURNAL_UNREADABLE' });
});
