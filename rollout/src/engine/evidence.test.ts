import { expect, test } from '@jest/globals';
import { aPlatform, quick } from '../engine.rig.ts';
import { type Instant, instant, percent, weightsFor } from '../lane.ts';
import { openMemoryMetrics } from '../metrics/memory.ts';
import type { EvidenceEntry } from '../policy/evidence.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { openEvidence } from './evidence.ts';
import { seenOf, toEntries } from './seen.ts';

const signal = new AbortController().signal;
const at = (sec: number): Instant => instant(1_000_000 + 1_000 * sec);

/** A release at 5 %, with counters that the test moves. `look` without counts is one that could not be read. */
async function judged() {
  const world = aPlatform();
  const play = newPlay();
  for (const line of ['live v1', 'release v2', 'verdict hold', 'until holding (step 0)']) perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  const metrics = openMemoryMetrics();
  const book = await openEvidence(world.ports, { spec: quick, emit: () => {}, lost: signal }, undefined);
  const nothing = { blue: undefined, green: undefined };
  return {
    metrics,
    async look(sec: number, counts = true, candidate?: number, uneven = false) {
      const weights = weightsFor(release.candidate, percent(candidate ?? 0));
      const sights = {
        traffic: candidate === undefined ? undefined : ({ kind: 'agreed', weights, pins: [] } as const),
        metrics: counts ? { ...(await metrics.observe(signal)), uneven } : undefined,
        workloads: nothing,
        queues: nothing,
        late: false,
      };
      return (await book.take(release, sights, at(sec), signal)).evidence;
    },
    /** As `status` shows it. */
    async seen() {
      await book.flush(release, signal);
      return seenOf(await world.ports.journal.readEvidence(release.id, signal), release, true);
    },
    async samples() {
      await book.flush(release, signal);
      const entries = toEntries(await world.ports.journal.readEvidence(release.id, signal));
      return entries.filter((entry): entry is Extract<EvidenceEntry, { kind: 'sample' }> => entry.kind === 'sample');
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

test('take() makes no sample of a look without counts; the next one covers its time and what came in it', async () => {
  await using driven = await judged();
  await driven.look(0);
  driven.metrics.count('blue', 'weighted', 'passed', 10);
  const blind = await driven.look(1, false);
  driven.metrics.count('blue', 'weighted', 'failed', 5);
  const seeing = await driven.look(3);

  expect(blind.blindMs).toBe(1_000);
  expect(seeing.blindMs).toBe(0);
  expect(await driven.samples()).toMatchObject([{ sample: { seconds: 3, live: { requests: 15, failed: 5 } } }]);
});

test('take() makes no sample across counters that began anew, and counts on from there', async () => {
  await using driven = await judged();
  driven.metrics.count('blue', 'weighted', 'passed', 1_000);
  await driven.look(0);
  driven.metrics.reset();
  driven.metrics.count('blue', 'weighted', 'failed', 7);
  await driven.look(1);
  driven.metrics.count('blue', 'weighted', 'passed', 3);
  await driven.look(2);

  expect(await driven.samples()).toMatchObject([
    { at: at(2), sample: { seconds: 1, live: { requests: 3, failed: 0 } } },
  ]);
});

test.each([
  { what: 'goes back', sec: -3_600 },
  { what: 'stands still', sec: 1 },
])('take() makes no sample of a look whose clock $what, and counts on from there', async ({ sec }) => {
  await using driven = await judged();
  await driven.look(0);
  driven.metrics.count('blue', 'weighted', 'passed', 10);
  await driven.look(1);
  driven.metrics.count('blue', 'weighted', 'failed', 9);
  const { blindMs } = await driven.look(sec);
  driven.metrics.count('blue', 'weighted', 'passed', 4);
  await driven.look(sec + 2);

  expect(blindMs).toBe(0);
  expect((await driven.samples()).map(({ sample }) => [sample.seconds, sample.live.requests])).toEqual([
    [1, 10],
    [2, 4],
  ]);
});

test('take() counts what came while the clock jumped ahead over all of that time', async () => {
  await using driven = await judged();
  await driven.look(0);
  driven.metrics.count('blue', 'weighted', 'passed', 10);
  const { verdict, logRollback } = await driven.look(3_600);

  expect(await driven.samples()).toMatchObject([{ sample: { seconds: 3_600, live: { requests: 10 } } }]);
  expect([verdict, Number.isFinite(logRollback)]).toEqual(['hold', true]);
});

test('take() judges by the weight in force when the driver that asked for it was gone before it had written so', async () => {
  await using driven = await judged();
  for (let sec = 0; sec < 4; sec++) {
    await driven.look(sec, true, 5);
    driven.metrics.count('green', 'weighted', 'passed', 1);
  }

  expect((await driven.samples()).map(({ sample }) => sample.candidateShare)).toEqual([0, 0, 5]);
});

test('take() blames no candidate for requests from before its weight that were counted after a look had read the counts', async () => {
  await using driven = await judged();
  await driven.look(0, true, 0);
  await driven.look(1, true, 5); // The counts were read first, and 2 s later the router said that it has 5 %.
  driven.metrics.count('blue', 'weighted', 'passed', 2_000);
  await driven.look(3, true, 5);
  driven.metrics.count('blue', 'weighted', 'passed', 95);
  driven.metrics.count('green', 'weighted', 'passed', 5);
  const { verdict, logRollback } = await driven.look(4, true, 5);

  expect([verdict, logRollback]).toEqual(['hold', expect.closeTo(0, 0)]);
});

test('take() blames no candidate for its share in counts that lack a process, or hold what one was silent about', async () => {
  await using driven = await judged();
  for (let sec = 0; sec < 4; sec++) await driven.look(sec, true, 5);
  driven.metrics.count('blue', 'weighted', 'passed', 2_000);
  const uneven = await driven.look(4, true, 5, true);
  driven.metrics.count('blue', 'weighted', 'passed', 2_000);
  const even = await driven.look(5, true, 5);

  expect([uneven.verdict, uneven.logRollback]).toEqual(['hold', expect.closeTo(0, 0)]);
  expect(even.verdict).toBe('rollback');
});

test('take() counts what fails in uneven counts', async () => {
  await using driven = await judged();
  for (let sec = 0; sec < 4; sec++) await driven.look(sec, true, 5);
  const verdicts: string[] = [];
  for (let sec = 4; sec < 24; sec++) {
    driven.metrics.count('blue', 'weighted', 'passed', 95);
    driven.metrics.count('green', 'weighted', 'failed', 5);
    verdicts.push((await driven.look(sec, true, 5, true)).verdict);
  }

  expect(verdicts).toContain('rollback');
});

test('seenOf() tells that a process has been silent for ten seconds, and no more once it is back', async () => {
  await using driven = await judged();
  const seen: boolean[] = [];
  for (let sec = 0; sec < 16; sec++) {
    driven.metrics.count('blue', 'weighted', 'passed', 100);
    await driven.look(sec, true, 5, sec > 1 && sec < 15);
    seen.push((await driven.seen()).uneven);
  }

  expect(seen.flatMap((uneven, sec) => (uneven ? [sec] : []))).toEqual([11, 12, 13, 14]);
});

test('take() judges by no weight that is not of the phase', async () => {
  await using driven = await judged();
  for (let sec = 0; sec < 3; sec++) await driven.look(sec, true, 25);

  expect((await driven.samples()).map(({ sample }) => sample.candidateShare)).toEqual([0, 0]);
});
