import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SparseHistogram } from './histogram.ts';
import {
  decideBySynthetic,
  defaultJudge,
  designEffects,
  type JudgeSettings,
  type JudgeState,
  primeJudge,
  readJudge,
  referTo,
  startJudge,
  startWatch,
  stepJudge,
  weightChanged,
} from './judge.ts';
import { type Counts, countsOnly, type Prime, type Sample } from './sample.ts';
import { progressOf, readyForStep } from './steps.ts';
import type { Verdict } from './verdict.ts';

const counts = (requests: number, failed = 0, refused = 0): Counts => ({ requests, failed, refused });

/** Ten seconds of live traffic before the start. */
function before(live: Counts): Prime {
  return { ...countsOnly, seconds: 10, live };
}

/** One second at 100 requests per second and 5 %, without a failure. */
function aSample(given: Partial<Sample> = {}): Sample {
  return {
    seconds: 1,
    candidateShare: 5,
    live: counts(95),
    candidate: counts(5),
    ...countsOnly,
    ...given,
  };
}

/** A judge of healthy traffic: 10 minutes of history with one failure in a thousand. */
function aJudge(given: Partial<JudgeSettings> = {}): JudgeState {
  let state = startJudge({ ...defaultJudge, ...given });
  for (let stretch = 0; stretch < 60; stretch++) state = primeJudge(state, before(counts(1000, 1, 20)));
  return state;
}

/** Feeds the sample again and again, until the judge decides or `seconds` are over. */
function feed(state: JudgeState, sample: Sample, seconds: number): { state: JudgeState; verdict: Verdict } {
  let last: [JudgeState, Verdict] = [state, readJudge(state)];
  for (let t = 0; t < seconds && last[1].kind === 'hold'; t += sample.seconds) last = stepJudge(last[0], sample);
  return { state: last[0], verdict: last[1] };
}

/** Latencies of 1000 requests about `ms`. */
function about(ms: number): SparseHistogram {
  const middle = Math.round(Math.log(ms) / Math.log(1.05));
  return [-8, -4, 0, 4, 8].map((off, i) => [middle + off, [50, 250, 400, 250, 50][i] ?? 0] as const);
}

const fast = { seconds: 2, live: about(40), candidate: about(40) };
const quiet = { arrived: 50, acked: 50, expired: 0, backlog: 2, delivered: 50, redelivered: 0, dropped: 0 };
const flowing = { seconds: 2, live: quiet, candidate: quiet };

describe('a comparison that reads more than counts', () => {
  const slow = { slow: ['latency', 'ackTime', 'flow'] } as const;
  const whole = aSample({ live: counts(475), candidate: counts(25), latency: fast, ackTime: fast, flow: flowing });
  const primed = () =>
    primeJudge(aJudge(slow), { ...before(counts(1000)), latency: fast, ackTime: fast, flow: flowing });

  test('promotes when every part of it is good enough, and for a healthy candidate alone', () => {
    const { verdict } = feed(primed(), whole, 400);

    expect(verdict).toMatchObject({ kind: 'promote', reason: 'good-enough' });
    expect(verdict.rules.map(({ name }) => name)).toEqual([
      'failed',
      'refused',
      'latency',
      'ackTime',
      'capacity',
      'redelivered',
      'dropped',
      'share',
    ]);
  });

  test.each([
    { reason: 'latency', given: { latency: { ...fast, candidate: about(80) } } },
    { reason: 'ackTime', given: { ackTime: { ...fast, candidate: about(80) } } },
    { reason: 'capacity', given: { flow: { ...flowing, candidate: { ...quiet, acked: 0, backlog: 400 } } } },
    { reason: 'redelivered', given: { flow: { ...flowing, candidate: { ...quiet, redelivered: 10 } } } },
    { reason: 'dropped', given: { flow: { ...flowing, candidate: { ...quiet, acked: 45, expired: 5, dropped: 5 } } } },
  ])('rolls back for $reason although no request fails', ({ reason, given }) => {
    const { verdict } = feed(primed(), { ...whole, ...given }, 120);

    expect(verdict).toMatchObject({ kind: 'rollback', reason });
  });

  test('holds, and says so, when a part of it is not read for a minute; what is missing moves nothing', () => {
    const state = feed(primed(), whole, 20).state;
    const latencyOf = ({ rules }: Verdict) => rules.find(({ name }) => name === 'latency')?.logRollback;

    const { verdict } = feed(state, { ...whole, latency: undefined }, 300);

    expect(verdict).toMatchObject({ kind: 'hold', reason: 'stale' });
    expect(latencyOf(verdict)).toBe(latencyOf(readJudge(state)));
  });

  test('need not wait for latencies, which may still roll back, and whose silence still holds', () => {
    const patient = primeJudge(aJudge({ ...slow, latencyPromotes: false }), {
      ...before(counts(1000)),
      latency: fast,
      ackTime: fast,
      flow: flowing,
    });
    const few = { ...fast, live: about(40).slice(2, 3), candidate: [] };

    expect(feed(patient, { ...whole, latency: few, ackTime: few }, 400).verdict.kind).toBe('promote');
    expect(feed(patient, { ...whole, latency: { ...fast, candidate: about(80) } }, 120).verdict.reason).toBe('latency');
    expect(feed(patient, { ...whole, latency: undefined }, 400).verdict).toMatchObject({
      kind: 'hold',
      reason: 'stale',
    });
  });

  test('goes on where it was after its state was saved and loaded at any moment', () => {
    let kept: [JudgeState, Verdict] = [primed(), readJudge(primed())];
    let loaded = kept;
    for (let look = 0; look < 40; look++) {
      const sample = { ...whole, latency: { ...fast, candidate: about(look % 3 ? 40 : 44) } };
      kept = look === 20 ? weightChanged(kept[0], 25) : stepJudge(kept[0], sample);
      const read = JSON.parse(JSON.stringify(loaded[0])) as JudgeState;
      loaded = look === 20 ? weightChanged(read, 25) : stepJudge(read, JSON.parse(JSON.stringify(sample)) as Sample);

      expect(loaded).toEqual(kept);
    }
  });
});

describe('a comparison', () => {
  test('rolls back a candidate that fails everything within three seconds', () => {
    const { verdict } = feed(aJudge(), aSample({ candidate: counts(5, 5) }), 10);

    expect(verdict).toMatchObject({ kind: 'rollback', reason: 'failed' });
    expect(verdict.elapsed).toBeLessThanOrEqual(3);
    expect(verdict.rules[0]!.counts.candidate.failures).toBeLessThanOrEqual(13);
  });

  test('rolls back a candidate that answers 404 to everything', () => {
    const { verdict } = feed(aJudge(), aSample({ candidate: counts(5, 0, 5) }), 10);

    expect(verdict).toMatchObject({ kind: 'rollback', reason: 'refused' });
  });

  test('tolerates more refused requests than failed ones, whatever the preset', () => {
    const aHalfMore = aSample({ live: counts(9_500, 0, 190), candidate: counts(500, 0, 15) });

    expect(feed(aJudge({ tolerate: 'strict' }), aHalfMore, 170).verdict.kind).toBe('hold');
  });

  test('takes no more failures than requests, as two counters are read at two moments', () => {
    const torn = stepJudge(aJudge(), aSample({ candidate: counts(5, 7) }));
    const whole = stepJudge(aJudge(), aSample({ candidate: counts(5, 5) }));

    expect(torn).toEqual(whole);
  });

  test('rolls back a candidate that gets half of its share', () => {
    const { verdict } = feed(aJudge(), aSample({ candidateShare: 10 }), 120);

    expect(verdict).toMatchObject({ kind: 'rollback', reason: 'share' });
  });

  test('holds for evidence, then for the bake, then promotes', () => {
    const busy = aSample({ live: counts(950, 1), candidate: counts(50) });
    const early = feed(aJudge(), busy, 5);
    const later = feed(early.state, busy, 170);
    const end = feed(later.state, busy, 60);

    expect(early.verdict).toMatchObject({ kind: 'hold', reason: 'evidence' });
    expect(early.verdict.needCandidate).toBeGreaterThan(0);
    expect(later.verdict).toMatchObject({ kind: 'hold', reason: 'bake', needCandidate: 0 });
    expect(end.verdict).toMatchObject({ kind: 'promote', reason: 'good-enough', elapsed: 180 });
  });

  test('holds while both lanes fail everything, whatever it believed before', () => {
    const good = feed(aJudge({ bakeSec: 1e9 }), aSample({ live: counts(950), candidate: counts(50) }), 200);
    const outage = aSample({ live: counts(950, 950), candidate: counts(50, 50) });

    const [, verdict] = stepJudge({ ...good.state, settings: defaultJudge }, outage);

    expect(verdict).toMatchObject({ kind: 'hold', reason: 'both-lanes-failing' });
  });

  test('is moved by nothing when nothing happens, and says so after a minute', () => {
    const before = feed(aJudge(), aSample(), 20);
    const silence = aSample({ live: counts(0), candidate: counts(0) });

    const after = feed(before.state, silence, 3600);

    expect(after.verdict).toMatchObject({ kind: 'hold', reason: 'no-traffic' });
    expect(after.verdict.logRollback).toBe(before.verdict.logRollback);
    expect(after.verdict.logPromote).toBe(before.verdict.logPromote);
  });

  test('closes open blocks before the weight changes, once it has seen something', () => {
    const few = aSample({ live: counts(3), candidate: counts(1) });
    const fresh = weightChanged(aJudge(), 5);
    const [open] = stepJudge(fresh[0], few);

    const [changed, verdict] = weightChanged(open, 25);

    expect(fresh[0]).toEqual({ ...aJudge(), candidateShare: 5 });
    expect(verdict.rules.map(({ closed }) => closed)).toEqual([true, true, false]);
    expect(changed.candidateShare).toBe(25);
    expect(feed(changed, aSample(), 7).verdict).toMatchObject({ atWeightSec: 7, elapsed: 8 });
  });

  test('counts looks at the queue only where there was one, and the hard guard decides in two', () => {
    const old = aSample({ queue: { liveOldestMs: 100, candidateOldestMs: 20_001 } });
    const [first, one] = stepJudge(aJudge({ guardMs: 20_000 }), old);
    const [second] = stepJudge(first, aSample());
    const [, two] = stepJudge(second, old);
    const [reset] = stepJudge(first, aSample({ queue: { liveOldestMs: 100, candidateOldestMs: 0 } }));
    const [, again] = stepJudge(reset, old);

    expect(one.kind).toBe('hold');
    expect(two).toMatchObject({ kind: 'rollback', reason: 'guard' });
    expect(again.kind).toBe('hold');
  });

  test('compares by probes alone at weight 0', () => {
    const idle = { candidateShare: 0, live: counts(100), candidate: counts(0) };
    const good = aSample({ ...idle, probes: { live: counts(50), candidate: counts(50) } });
    const bad = aSample({ ...idle, probes: { live: counts(50), candidate: counts(50, 0, 50) } });
    const settings = { compare: 'probes', bakeSec: 10 } as const;

    expect(feed(aJudge(settings), good, 120).verdict.kind).toBe('promote');
    expect(feed(aJudge(settings), bad, 120).verdict).toMatchObject({ kind: 'rollback', reason: 'probe-refused' });
  });

  test('does not promote on probes that have stopped', () => {
    const settings = { compare: 'both', bakeSec: 100 } as const;
    const busy = { live: counts(950), candidate: counts(50) };
    const both = aSample({ ...busy, probes: { live: counts(50), candidate: counts(50) } });
    const probed = feed(decideBySynthetic(aJudge(settings)), both, 90);

    expect(feed(probed.state, aSample(busy), 90).verdict).toMatchObject({ kind: 'hold', reason: 'stale' });
  });

  test('refuses numbers that would poison its state', () => {
    for (const requests of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      expect(() => stepJudge(aJudge(), aSample({ live: counts(requests) }))).toThrow('must be finite and not negative');
    }
  });
});

describe('readyForStep()', () => {
  const settings = { beta: 0.01, bakeSec: 180 };
  const reached = (part: number, given: Partial<Verdict> = {}): Verdict => ({
    ...readJudge(aJudge()),
    logPromote: part * Math.log(100) + 1e-9,
    atWeightSec: 60,
    ...given,
  });

  test.each([
    { part: 0.3, index: 0, ready: false },
    { part: 0.34, index: 0, ready: true },
    { part: 0.34, index: 1, ready: false },
    { part: 0.67, index: 1, ready: true },
    { part: 1, index: 2, ready: false },
  ])('at weight $index of 3 with $part of the evidence is $ready', ({ part, index, ready }) => {
    expect(readyForStep(reached(part), index, 3, settings)).toBe(ready);
  });

  test('leaves the last weight on the verdict, and no weight before its part of the bake', () => {
    expect(readyForStep(reached(1, { kind: 'promote', reason: 'good-enough' }), 2, 3, settings)).toBe(true);
    expect(readyForStep(reached(1, { kind: 'promote', atWeightSec: 59 }), 2, 3, settings)).toBe(false);
    expect(readyForStep(reached(1, { atWeightSec: 59 }), 0, 3, settings)).toBe(false);
  });

  test('stays where it is while nobody asks, or both lanes fail', () => {
    expect(readyForStep(reached(1, { reason: 'no-traffic' }), 0, 3, settings)).toBe(false);
    expect(readyForStep(reached(1, { reason: 'both-lanes-failing' }), 0, 3, settings)).toBe(false);
  });

  test('progressOf() is between 0 and 1', () => {
    expect(progressOf(reached(-3), settings)).toBe(0);
    expect(progressOf(reached(0.5), settings)).toBeCloseTo(0.5, 6);
    expect(progressOf(reached(2), settings)).toBe(1);
    expect(progressOf(reached(1, { logPromote: null }), settings)).toBe(0);
  });
});

describe('a watch', () => {
  const history = counts(60_000, 60, 1200);
  const watch = (given: Partial<JudgeSettings> = {}) =>
    startWatch({ ...defaultJudge, ...given }, history, designEffects(aJudge()));
  const alone = (given: Counts) => aSample({ candidateShare: 100, live: counts(0), candidate: given });

  test('never speaks against a lane that fails as live did', () => {
    const { verdict } = feed(watch(), alone(counts(1000, 1, 20)), 600);

    expect(verdict).toMatchObject({ kind: 'hold', reason: 'evidence', logPromote: null });
    expect(verdict.logRollback).toBeLessThan(0);
  });

  test('calls a lane back that fails more than history allows', () => {
    expect(feed(watch(), alone(counts(100, 5)), 60).verdict).toMatchObject({ kind: 'rollback', reason: 'failed' });
    expect(feed(watch(), alone(counts(100, 0, 60)), 60).verdict).toMatchObject({ kind: 'rollback', reason: 'refused' });
  });

  test('says so when nobody asks, and keeps the hard guard', () => {
    const old = { ...alone(counts(0)), queue: { liveOldestMs: 0, candidateOldestMs: 99_000 } };

    expect(feed(watch(), alone(counts(0)), 61).verdict.reason).toBe('no-traffic');
    expect(feed(watch({ guardMs: 20_000 }), old, 5).verdict).toMatchObject({
      kind: 'rollback',
      reason: 'guard',
      elapsed: 2,
    });
  });

  test('divides evidence by the design effect that was frozen at the switch', () => {
    const clustered = startWatch(defaultJudge, history, { failed: 5, refused: 1 });
    const after = (state: JudgeState) => feed(state, alone(counts(100, 2)), 3).verdict.logRollback;

    expect(after(clustered)).toBeLessThan(after(watch()));
  });

  test('takes its design effects from live traffic, also where the lanes were compared by probes', () => {
    let state = startJudge({ ...defaultJudge, compare: 'probes' });
    for (let stretch = 0; stretch < 60; stretch++)
      state = primeJudge(state, before(counts(1000, stretch % 2 ? 0 : 40)));

    expect(designEffects(aJudge())).toEqual({ failed: 1, refused: 1, own: {} });
    expect(designEffects(state).failed).toBeGreaterThan(10);
    expect(designEffects(state).refused).toBe(1);
  });

  test('without any history it has nothing to say', () => {
    const first = startWatch(defaultJudge, counts(0), { failed: 1, refused: 1 });

    expect(feed(first, alone(counts(100, 100)), 60).verdict).toMatchObject({
      kind: 'hold',
      logRollback: expect.closeTo(0, 12),
    });
  });
});

test('a judge that is saved and loaded after every input decides bit by bit as one that was not', () => {
  const some = (most: number) => fc.integer({ min: 0, max: most });
  const someCounts = (most: number) =>
    fc.record({ requests: some(most), failed: fc.oneof(fc.constant(0), some(most)), refused: some(3) });
  const someLatencies = fc
    .uniqueArray(fc.tuple(some(259), some(30)), { selector: ([bucket]) => bucket, maxLength: 6 })
    .map((counted) => counted.toSorted(([a], [b]) => a - b));
  const someFlow = fc.record({
    arrived: some(90),
    acked: some(90),
    expired: fc.oneof(fc.constant(0), some(9)),
    backlog: some(500),
    delivered: some(90),
    redelivered: some(20),
    dropped: some(9),
  });
  const stretchOf = <T>(one: fc.Arbitrary<T>) =>
    fc.record({ seconds: fc.constantFrom(1, 5, 11), live: one, candidate: one });
  const twoOf = <T>(one: fc.Arbitrary<T>) => fc.option(stretchOf(one), { nil: undefined });
  const someOwn = some(40).chain((requests) =>
    fc.record({ requests: fc.constant(requests), failures: some(requests) }),
  );
  const someValue = fc.option(some(3));
  const input = fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({
        seconds: fc.constantFrom(0.25, 1, 7.3),
        candidateShare: fc.constantFrom(0, 5, 25, 50, 100),
        live: someCounts(300),
        candidate: someCounts(40),
        queue: fc.option(fc.record({ liveOldestMs: some(9_000), candidateOldestMs: some(90_000) }), { nil: undefined }),
        probes: fc.option(fc.record({ live: someCounts(20), candidate: someCounts(20) }), { nil: undefined }),
        latency: twoOf(someLatencies),
        ackTime: twoOf(someLatencies),
        flow: twoOf(someFlow),
        own: fc.option(fc.record({ orders: stretchOf(someOwn) }), { nil: undefined }),
        values: fc.option(fc.record({ p99: fc.record({ live: someValue, candidate: some(3) }) }), { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.constantFrom(5, 25, 50, 100) },
  );
  const settings = {
    ...defaultJudge,
    guardMs: 60_000,
    compare: 'both',
    slow: ['latency', 'ackTime', 'flow'],
    own: {
      orders: { kind: 'failures', tolerate: 'default', dryRun: false },
      p99: { kind: 'limit', min: null, max: 2, looks: 3, dryRun: false },
    },
    bakeSec: 5,
  } as const;
  const starts = [
    primeJudge(startJudge(settings), before(counts(1000, 3, 1))),
    startWatch(settings, counts(5000, 12, 40), { failed: 1.7, refused: 1 }),
  ];
  const put = (state: JudgeState, given: Sample | number) =>
    typeof given === 'number' ? weightChanged(state, given) : stepJudge(state, given);

  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.array(input, { maxLength: 60 }), (start, inputs) => {
      let kept = start;
      let stored = start;
      for (const given of inputs) {
        const [next, verdict] = put(kept, given);
        const [again, sameVerdict] = put(JSON.parse(JSON.stringify(stored)), given);
        expect(JSON.stringify(sameVerdict)).toBe(JSON.stringify(verdict));
        expect(JSON.stringify(verdict)).not.toMatch(/NaN|Infinity/);
        expect(allFinite(next)).toBe(true);
        kept = next;
        stored = again;
      }
    }),
    { seed: 5, numRuns: 150 },
  );
});

/** JSON has no NaN and no infinity: it would quietly turn them into null. */
function allFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return value === null || typeof value !== 'object' || Object.values(value).every(allFinite);
}

describe('an A/B test', () => {
  /** Ten pinned requests a second beside a hundred by weight. Live's past so far is given before each. */
  const play = (own: Counts, past: Counts, seconds = 600) => {
    let last: [JudgeState, Verdict] | undefined;
    for (let t = 0; t < seconds && last?.[1].kind !== 'rollback'; t++) {
      const before = last?.[0] ?? startJudge({ ...defaultJudge, compare: 'history' });
      last = stepJudge(referTo(before, past), aSample({ candidateShare: 0, live: counts(100), candidate: own }));
    }
    return last?.[1];
  };

  test('never says promote, however good the candidate is', () => {
    expect(play(counts(10), counts(60_000, 60))).toMatchObject({ kind: 'hold', logPromote: null });
  });

  test('calls back a candidate that is worse than what is tolerated beside live', () => {
    expect(play(counts(10, 1), counts(60_000, 60))).toMatchObject({ kind: 'rollback', reason: 'failed' });
    expect(play(counts(10, 0, 5), counts(60_000, 60, 60))).toMatchObject({ kind: 'rollback', reason: 'refused' });
  });

  test('says nothing against a candidate that fails as live does, or before live has a past', () => {
    expect(play(counts(10, 1), counts(60_000, 6_000))?.kind).toBe('hold');
    expect(play(counts(10, 10), counts(0))?.kind).toBe('hold');
  });
});
