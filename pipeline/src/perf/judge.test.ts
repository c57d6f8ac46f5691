import { parseSpec } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { perfDefaults, perfSettings } from './gate.ts';
import { randomFrom } from './interval.ts';
import { isSettled, judgePerf } from './judge.ts';
import { perfRule, type Round, roundsMaxOf, ruleFor, type Side } from './rule.ts';

const runs = 20;
const roundSeconds = 5;
const perSecond = 1_000;

type World = {
  /** Factor on one rare kind (one request in twenty) of the new version. */
  readonly rare: number;
  /** The new version stands still once, for so long. */
  readonly freezeMs: number;
  /** A neighbour slows some rounds and stops the machine now and then. */
  readonly neighbour: boolean;
  /** Part of the asked rate that the new version can take. */
  readonly capacity: number;
  /** Kinds of writes, which share one request in twenty; `rare` is the first one's factor, and with `all` that of every one. */
  readonly writes: number;
  readonly all: boolean;
};

const calm: World = { rare: 1, freezeMs: 0, neighbour: false, capacity: 1, writes: 1, all: true };

/** Looked up once: each look at a global costs a microsecond inside of Jest. */
const { cos, exp, log, max, PI, sqrt } = Math;

function replay(seed: number, world: World, rounds = 20): readonly Round[] {
  return [...roundsOf(seed, world, rounds)];
}

/** Timings in the shape of those measured: log-normal answers around 4 ms, on a machine whose load changes from round to round. */
function* roundsOf(seed: number, world: World, rounds: number): Generator<Round> {
  const random = randomFrom(seed);
  const normal = () => sqrt(-2 * log(1 - random())) * cos(2 * PI * random());
  const freezeIn = Math.floor(random() * perfRule.passMin); // After those nothing may be played any more.
  const disturbed = () => (world.neighbour && random() < 0.4 ? 1 + 2 * random() : 1) * exp(0.03 * normal());
  const stall = () => (world.neighbour && random() < 0.3 ? 100 + 900 * random() : 20 * random());
  for (let index = 0; index < rounds; index++) {
    const machine = exp(0.15 * normal());
    const stillMs = { before: stall(), after: stall() };
    const own = index === freezeIn ? world.freezeMs : 0;
    yield {
      before: aSide(
        { ...world, factor: machine * disturbed(), rare: 1, freezeMs: stillMs.before, capacity: 1 },
        random,
        normal,
      ),
      after: aSide({ ...world, factor: machine * disturbed(), freezeMs: max(stillMs.after, own) }, random, normal),
      machine: {
        before: { stillMs: stillMs.before, others: 0.05 },
        after: { stillMs: stillMs.after, others: 0.05 },
      },
    };
  }
}

function aSide(world: World & { readonly factor: number }, random: () => number, normal: () => number): Side {
  const { factor, freezeMs, capacity } = world;
  const timings: Record<string, number[]> = {};
  const requests = roundSeconds * perSecond;
  const freezeAt = random() * (roundSeconds * 1_000 - freezeMs);
  for (let n = 0; n < requests; n++) {
    const [kind, base] = requestOf(n, world);
    const at = (n / perSecond) * 1_000;
    const waits = at >= freezeAt && at < freezeAt + freezeMs ? freezeAt + freezeMs - at : 0;
    timings[kind] = timings[kind] ?? [];
    timings[kind].push(base * factor * exp(0.5 * normal()) + waits);
  }
  return { askedPerSecond: perSecond, achievedPerSecond: perSecond * capacity, requests, errors: 0, timings };
}

/** Its kind, and the ms that it takes. */
function requestOf(n: number, { rare, writes, all }: World): readonly [string, number] {
  if (n % 20 !== 0) return [n % 2 === 0 ? 'GET /ratings' : 'GET /users', 4];
  const which = (n / 20) % writes;
  return [`POST /ratings${which}`, which === 0 || all ? 8 * rare : 8];
}

function worstOf({ timings }: Side): number {
  return Object.values(timings)
    .flat()
    .reduce((worst, ms) => max(worst, ms), 0);
}

/** Up to the look that tells, as the gate plays them. */
function played(seed: number, world: World): readonly Round[] {
  const rounds: Round[] = [];
  for (const round of roundsOf(seed, world, 20)) {
    rounds.push(round);
    if (isSettled(rounds, perfRule)) break;
  }
  return rounds;
}

function verdicts(world: World): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { notSlower: 0, slower: 0, cannotTell: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const { kind } = judgePerf(played(seed, world), perfRule);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

describe('judgePerf()', () => {
  test('passes the same version on both sides in at least 19 of 20 runs', () => {
    expect(verdicts(calm)['notSlower']).toBeGreaterThanOrEqual(19);
  });

  test('fails 20 % on one request in twenty in at least 19 of 20 runs', () => {
    expect(verdicts({ ...calm, rare: 1.2 })['slower']).toBeGreaterThanOrEqual(19);
  });

  test('the same with four kinds that share these: each alone is of too few requests to be told from chance', () => {
    expect(verdicts({ ...calm, writes: 4 })['notSlower']).toBeGreaterThanOrEqual(19);
    expect(verdicts({ ...calm, writes: 4, rare: 1.2 })['slower']).toBeGreaterThanOrEqual(19);
  });

  test('does not pass 20 % on one of four kinds that share one request in twenty', () => {
    expect(verdicts({ ...calm, writes: 4, rare: 1.2, all: false })['notSlower']).toBe(0);
  });

  test('fails a single standstill of 1 s in every run', () => {
    expect(verdicts({ ...calm, freezeMs: 1_000 })['slower']).toBe(runs);
  });

  test('fails a standstill of the version under which the sender stopped for a moment, and none of the machine', () => {
    const rounds = replay(1, { ...calm, freezeMs: 1_000 }, 13);
    const stopped = (stillMs: number) =>
      rounds.map((round) => ({
        ...round,
        machine: { ...round.machine, after: { stillMs: worstOf(round.after) > 900 ? stillMs : 0, others: 0 } },
      }));

    expect(judgePerf(stopped(150), perfRule)).toMatchObject({ kind: 'slower', rounds: { all: 13, calm: 12 } });
    expect(judgePerf(stopped(500), perfRule)).toMatchObject({ kind: 'notSlower', rounds: { all: 13, calm: 12 } });
  });

  test('never fails a good version because of a neighbour', () => {
    expect(verdicts({ ...calm, neighbour: true })['slower']).toBe(0);
  });

  test('does not pass a bad version because of a neighbour', () => {
    expect(verdicts({ ...calm, neighbour: true, rare: 1.2 })['notSlower']).toBe(0);
  });

  test('fails what cannot answer 1000 requests/s in every run, and says how many it can', () => {
    expect(verdicts({ ...calm, capacity: 0.95 })['slower']).toBe(runs);

    const verdict = judgePerf(replay(1, { ...calm, capacity: 0.95 }), perfRule);

    expect(verdict).toMatchObject({ kind: 'slower', why: ['950 of 1000 requests/s were answered'] });
    expect(verdict.gates.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name)).toEqual(['rate']);
    expect(verdict.gates.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['errors', 'p99, limit', 'standstill', 'p95']),
    );
  });

  test('takes a tail below 20 and 40 ms for equal, and fails one that grows beyond', () => {
    const paused = (pauseMs: number) => (side: Side) => ({
      ...side,
      timings: Object.fromEntries(
        Object.entries(side.timings).map(([kind, all]) => [
          kind,
          all.map((ms, n) => (n % 12 === 0 ? ms + pauseMs : ms)),
        ]),
      ),
    });
    const withPauses = (pauseMs: number) =>
      judgePerf(
        replay(1, calm).map((round) => ({ ...round, after: paused(pauseMs)(round.after) })),
        perfRule,
      );

    expect(withPauses(8)).toMatchObject({ kind: 'notSlower' });
    expect(withPauses(40)).toMatchObject({ kind: 'slower', why: [expect.stringMatching(/^p95 is/)] });
  });

  test('fails on errors', () => {
    const rounds = replay(1, calm).map((round) => ({ ...round, after: { ...round.after, errors: 20 } }));

    expect(judgePerf(rounds, perfRule).why).toContain('0.40 % of the requests failed');
  });

  test('judges a slow service by the limits that its headgate.yaml names', () => {
    const slow = (byMs: number) => (side: Side) => ({
      ...side,
      timings: Object.fromEntries(
        Object.entries(side.timings).map(([kind, ms]) => [kind, ms.map((one) => 30 * one + byMs)]),
      ),
    });
    const rounds = (byMs: number) =>
      replay(1, { ...calm, writes: 0 }).map(({ before, after, machine }) => ({
        before: slow(0)(before),
        after: slow(byMs)(after),
        machine,
      }));
    const perf = { msMax: { p50: 200, p95: 500, p99: 900 }, perSec: 200, tolerancePercent: 10, tolerance99Percent: 25 };

    const { kind, why } = judgePerf(rounds(0), perfRule);
    expect([kind, why[0]]).toEqual(['cannotTell', expect.stringMatching(/^p50 is 1\d\d ms, the limit 50 ms/)]);
    expect(judgePerf(rounds(0), ruleFor(perf))).toMatchObject({ kind: 'notSlower' });
    expect(judgePerf(rounds(40), ruleFor(perf))).toMatchObject({ kind: 'slower' });
    expect(judgePerf(rounds(40), ruleFor({ ...perf, tolerancePercent: 60 }))).toMatchObject({ kind: 'notSlower' });
  });

  test('a limit that the old version breaks as well is the machine, and no verdict', () => {
    const slow = (side: Side): Side => ({
      ...side,
      timings: Object.fromEntries(Object.entries(side.timings).map(([kind, ms]) => [kind, ms.map((one) => one + 450)])),
    });
    const rounds = replay(1, calm).map((round) => ({ ...round, before: slow(round.before), after: slow(round.after) }));

    expect(judgePerf(rounds, perfRule)).toMatchObject({ kind: 'cannotTell' });
  });

  test('ruleFor() an app that says nothing is the rule that was tried', () => {
    const parsed = parseSpec('app: a\nservices: { p: { source: p, port: 80 } }', { file: 'x' });
    if (parsed.kind === 'issues') throw new Error('it is right');

    expect(ruleFor(parsed.spec.perf)).toEqual(perfRule);
    expect(perfSettings(parsed.spec.perf)).toEqual(perfDefaults);
  });

  test('ruleFor() a slower service waits longer for its last answers, and calls less a standstill', () => {
    const perf = {
      msMax: { p50: 200, p95: 1_000, p99: 2_000 },
      perSec: 100,
      tolerancePercent: 10,
      tolerance99Percent: 25,
    };

    expect(ruleFor(perf)).toMatchObject({ latePart: 1, freezeMs: 2_500, tailMinMs: perfRule.tailMinMs });
  });

  test('a rate that was missed in some rounds only is a neighbour, and no verdict', () => {
    const rounds = replay(1, calm).map((round, n) =>
      n % 4 === 0 ? { ...round, after: { ...round.after, achievedPerSecond: 900 } } : round,
    );

    expect(judgePerf(rounds, perfRule)).toMatchObject({
      kind: 'cannotTell',
      why: ['975 of 1000 requests/s were answered, but only in 5 of 20 rounds too few'],
    });
  });

  test('leaves out rounds in which others had the machine, whatever they show', () => {
    const busy = { stillMs: 10, others: 0.7 };
    const rounds = replay(1, { ...calm, freezeMs: 1_000, capacity: 0.9 }).map((round) => ({
      ...round,
      machine: { ...round.machine, after: busy },
    }));

    expect(judgePerf(rounds, perfRule)).toMatchObject({ kind: 'cannotTell', rounds: { all: 20, calm: 0 } });
  });

  test('cannot tell from too few rounds', () => {
    expect(judgePerf(replay(1, calm, 4), perfRule)).toMatchObject({
      kind: 'cannotTell',
      rounds: { all: 4, calm: 4 },
    });
  });

  test('passes nothing that was measured for less than half a minute, and ends what is plainly bad long before', () => {
    const [good, bad] = [replay(1, calm, 12), replay(1, { ...calm, capacity: 0.8 }, 12)];

    expect(isSettled(good.slice(0, 8), perfRule)).toBe(false);
    expect(judgePerf(good.slice(0, 8), perfRule)).toMatchObject({ why: ['12 calm rounds are needed to pass'] });
    expect(isSettled(good, perfRule)).toBe(true);
    expect(isSettled(bad.slice(0, 5), perfRule)).toBe(false);
    expect(isSettled(bad.slice(0, 6), perfRule)).toBe(true);
    expect(isSettled(bad.slice(0, 7), perfRule)).toBe(false); // No look is due.
  });

  test('its looks share the whole chance to be wrong, the last of them after as many rounds as there may be', () => {
    expect(perfRule.looks.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(perfRule.looks.at(-1)?.rounds).toBe(roundsMaxOf(perfRule));
  });

  test('gives equal rounds an equal verdict', () => {
    expect(judgePerf(replay(7, calm), perfRule)).toEqual(judgePerf(replay(7, calm), perfRule));
  });
});
