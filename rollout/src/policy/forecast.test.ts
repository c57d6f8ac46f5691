import { describe, expect, test } from '@jest/globals';
import { defaultJudge } from '../judge/judge.ts';
import { countsOnly } from '../judge/sample.ts';
import { instant } from '../lane.ts';
import { type EvidenceEntry, foldEvidence, startEvidence } from './evidence.ts';
import { forecastOf } from './forecast.ts';
import { forecastText } from './forecast-text.ts';
import type { Plan } from './release.ts';

const plan = {
  steps: [50],
  bakeMs: 180_000,
  atDeadline: 'hold',
} as unknown as Plan; // No more of it is looked at.
const starting = { kind: 'starting', since: instant(0) } as const;
const holding = (step: number) => ({ kind: 'holding', step, since: instant(0) }) as const;

/** Live fails one request in a thousand for ten minutes, of as many per second. */
function liveAt(perSec: number, ...then: readonly EvidenceEntry[]) {
  const primes = Array.from({ length: 60 }, (_, k): EvidenceEntry => {
    const live = { requests: 10 * perSec, failed: perSec / 100, refused: 0 };
    return { kind: 'prime', at: 10_000 * k, ...countsOnly, seconds: 10, live };
  });
  return [...primes, ...then].reduce(foldEvidence, startEvidence(defaultJudge));
}

describe('forecastOf()', () => {
  test('says how many requests a good release and a bad one need, and how long these take', () => {
    const { requests = 0, ms = 0, back } = forecastOf(liveAt(1_000), plan, starting) ?? {};

    // For half of the traffic at 0.1 %: 1,872, and 105 for a test that has the whole error budget; here it shares it.
    expect(requests / 1_872).toBeCloseTo(1, 1);
    expect(back?.requests).toBeGreaterThan(105);
    expect(back?.requests).toBeLessThan(140);
    expect(ms).toBe(180_000);
  });

  test('grows with the time that little traffic takes: at one request a second an hour', () => {
    const { ms = 0, perSec, requests = 0 } = forecastOf(liveAt(1), plan, starting) ?? {};

    expect(perSec).toBeCloseTo(1, 9);
    expect(ms / 60_000).toBeCloseTo(requests / 0.5 / 60, 1);
    expect(ms / 60_000).toBeGreaterThan(50);
  });

  test('shrinks with the evidence that is there', () => {
    const canary = { ...plan, steps: [5, 25, 50] };
    const sample: EvidenceEntry = {
      kind: 'sample',
      at: 601_000,
      lags: null,
      sample: {
        ...countsOnly,
        seconds: 10,
        candidateShare: 5,
        live: { requests: 9_500, failed: 9, refused: 0 },
        candidate: { requests: 500, failed: 0, refused: 0 },
      },
    };
    const [before, after] = [liveAt(1_000), liveAt(1_000, { kind: 'share', share: 5 }, sample)];
    const of = (state: typeof before, step: number) => forecastOf(state, canary, holding(step));

    expect(of(after, 0)?.requests).toBeLessThan(of(before, 0)?.requests ?? 0);
    expect(of(before, 0)?.ms).toBe(180_000);
    expect(of(after, 0)?.ms).toBe(170_000);
  });

  test('sends most of them at the last weight', () => {
    const { requests = 0, ms = 0 } =
      forecastOf(liveAt(100), { ...plan, bakeMs: 0, steps: [5, 25, 50] }, starting) ?? {};

    expect(ms).toBeLessThan((1_000 * requests) / (100 * 0.1));
  });

  test('waits for latencies where promotion does: a tail that hardly falls says little for long', () => {
    const settings = { ...defaultJudge, slow: ['latency'] } as const;
    const live = { requests: 10_000, failed: 10, refused: 0 };
    // 20 ms, but 6 % take something between 0.2 and 4 s: of these nearly as many lie above 1.48 times live's p95 as above it.
    const slow = Array.from({ length: 60 }, (_, k) => [108 + k, 10] as const);
    const latency = { live: [[61, 9_400] as const, ...slow], seconds: 10 };
    const prime = { kind: 'prime', at: 0, ...countsOnly, seconds: 10, live, latency } as const;
    const seen = Array.from({ length: 6 }, () => prime).reduce(foldEvidence, startEvidence(settings));
    const patient = Array.from({ length: 6 }, () => prime).reduce(
      foldEvidence,
      startEvidence({ ...settings, latencyPromotes: false }),
    );
    const [waits, not] = [seen, patient].map((state) => forecastOf(state, plan, starting));

    expect(not?.requests).toBeLessThan(2_500);
    expect(waits?.requests).toBeGreaterThan(not?.requests ?? 0);
    expect(waits?.ms).toBeGreaterThanOrEqual((1_000 * (waits?.requests ?? 0)) / (1_000 * 0.5));
  });

  test('has nothing to say without users, and where nothing is compared by their requests', () => {
    expect(forecastOf(startEvidence(defaultJudge), plan, starting)).toBeUndefined();
    expect(forecastOf(liveAt(100), { ...plan, steps: [] }, starting)).toBeUndefined();
    expect(forecastOf(liveAt(100), { ...plan, strategy: 'ab', steps: [0] }, starting)).toBeUndefined();
    expect(forecastOf(liveAt(100), plan, { kind: 'watching', since: instant(0) })).toBeUndefined();
  });
});

describe('forecastText()', () => {
  const forecast = {
    requests: 1_872,
    ms: 62 * 60_000,
    perSec: 1,
    by: 'users',
    back: { requests: 105, ms: 50_000 },
  } as const;

  test('tells requests and minutes', () => {
    expect(forecastText(forecast, 7_200_000, plan)).toBe(
      'as good as live it is promoted after about 1872 of its requests, 62 min at 1/s; failing 10 % it goes back after 105, less than a minute',
    );
  });

  test('says when the deadline is sooner, and what happens then', () => {
    expect(forecastText(forecast, 1_800_000, plan)).toMatch(/; the deadline is sooner, in 30 min, and then it holds$/);
    expect(forecastText(forecast, 1_800_000, { ...plan, atDeadline: 'rollback' })).toMatch(/ and then it goes back$/);
  });
});
