import { expect, test } from '@jest/globals';
import { aPlatform, handsOn } from '../engine.rig.ts';
import { type ErrorCode, HeadgateError } from '../errors.ts';
import { percent, weightsFor } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { waitFor, waitOn } from './wait.ts';

const error = (code: ErrorCode, cause?: unknown) =>
  new HeadgateError(code, 'Cannot read the journal', { hint: '', cause });
const unreachable = error('JOURNAL_UNREADABLE', error('CLUSTER_UNREACHABLE'));
const refused = error('JOURNAL_UNREADABLE', error('CLUSTER_REFUSED'));

type Running = { readonly isLate?: boolean; readonly backSinceMs?: number; readonly isDriven?: boolean };

const closing = (since: number) => ({
  kind: 'rollingBack',
  stage: 'closing',
  reason: { kind: 'person', text: 'kim' },
  since,
});

/** A release that runs, in a journal whose readings end as `fails` says. */
async function running(
  fails: () => HeadgateError | 'gone' | undefined,
  { isLate = false, backSinceMs, isDriven = true }: Running = {},
) {
  const world = aPlatform();
  const play = newPlay();
  for (const line of ['live v1', 'release v2', 'verdict hold', 'until holding (step 0)']) perform(play, line);
  const { journal } = world.ports;
  const { release } = play.head;
  if (release === undefined) throw new Error('nothing runs');
  const startedAt = Date.now() - (isLate ? release.plan.deadlineMs : 0);
  const phase = backSinceMs === undefined ? release.state.phase : closing(Date.now() - backSinceMs);
  const plan = { ...release.plan, raisedWeight: 'hold' };
  const begun = { ...play.head, release: { ...release, startedAt, plan, state: { ...release.state, phase } } };
  await journal.write(begun as never, undefined, AbortSignal.timeout(1_000));
  const theirs = { kind: 'foreign', weights: weightsFor('green', percent(40)), pins: [], manager: 'argocd' } as const;
  const ports: Platform = {
    ...world.ports,
    traffic: { ...world.traffic, observe: async () => theirs },
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
  const hands = handsOn(ports, { ...(isDriven ? { driver: 'controller' } : {}), say: (text) => said.push(text) });
  return { hands, said, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

test('waitFor() outlives a journal that is away for a while, and says so once', async () => {
  let reads = 0;
  await using waiting = await running(() => (++reads > 1 && reads < 6 ? unreachable : undefined));

  const ended = await waitFor(waiting.hands, 'ended', 4_000);

  expect(ended.kind).toBe('timeout');
  expect(waiting.said).toEqual([expect.stringMatching(/^the journal cannot be read; /)]);
});

test('waitOn() outlives a journal that is away from the first reading on', async () => {
  let reads = 0;
  await using waiting = await running(() => (++reads < 6 ? unreachable : undefined));

  expect((await waitOn(waiting.hands, 1, 4_000)).kind).toBe('timeout');
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

test('waitFor() calls somebody when a way back fails, and leaves the controller to try on', async () => {
  await using waiting = await running(() => undefined, { backSinceMs: 60_000 });

  const stuck = await waitFor(waiting.hands, 'ended', 60_000);

  expect(stuck).toEqual({
    kind: 'stuck',
    release: 1,
    text: expect.stringMatching(/^release 1 cannot be rolled back: .*headgate status/),
  });
}, 15_000);

test('who drives a way back that somebody else keeps open gives it up to a person, with the name of who does', async () => {
  await using waiting = await running(() => undefined, { backSinceMs: 60_000, isDriven: false });

  const stuck = await waitFor(waiting.hands, 'ended', 60_000);

  expect(stuck).toMatchObject({ kind: 'stuck', text: expect.stringContaining('argocd wrote the weights') });
  expect((await waiting.hands.ports.lock.acquire('another', AbortSignal.timeout(1_000))).kind).toBe('held');
});
