import { describe, expect, test } from '@jest/globals';
import { openMemoryJournal } from '../journal/memory.ts';
import { binomial, type Chance, seeded } from '../judge/chance.rig.ts';
import { defaultJudge } from '../judge/judge.ts';
import type { Lane } from '../lane.ts';
import type { Processes, ProcessSeen } from '../metrics/processes.ts';
import { emptyHead } from '../policy/release.ts';
import { falseAlarms, observedText, type Trial } from '../report/observed.ts';
import { aSpec } from '../simulate/named.ts';
import type { Spec } from '../spec.ts';
import { beginWatch, lookAgain, type Observation, observe, type Watch } from './observe.ts';

const settings = { ...defaultJudge, alpha: 0.1, bakeSec: 20 };
const hour = { deadlineMs: 3_600_000 };

type Proxy = { requests: number; failed: number; refused: number; 'latency/60': number };

/** Proxies of one lane, each with its own chance to fail a request. */
function proxies(chance: Chance, rates: Readonly<Record<string, number>>) {
  const all = Object.keys(rates).map((id): [string, Proxy] => [
    id,
    { requests: 0, failed: 0, refused: 0, 'latency/60': 0 },
  ]);
  return {
    work(requests = 400) {
      for (const [id, series] of all) {
        series.requests += requests;
        series.failed += binomial(chance, requests, rates[id] ?? 0);
        series['latency/60'] += requests;
      }
    },
    seen: (): readonly ProcessSeen[] =>
      all.map(([id, series]) => ({ id, ready: true, series: { latency: series.requests, ...series } })),
  };
}

/** `seconds` of traffic, read every two. */
function trialsIn(rates: Readonly<Record<string, number>>, seconds: number, seed: number): readonly Trial[] {
  const lane = proxies(seeded(seed), rates);
  let watch = beginWatch('blue', settings, hour);
  const trials: Trial[] = [];
  for (let atSec = 0; atSec < seconds; atSec += 2) {
    lane.work();
    const looked = lookAgain(watch, { atSec, seen: lane.seen() });
    watch = looked.watch;
    if (looked.trial !== undefined) trials.push(looked.trial);
  }
  return trials;
}

describe('lookAgain()', () => {
  test('takes processes that fail alike for good enough, trial after trial, with no more alarms than alpha allows', () => {
    const trials = trialsIn({ a: 0.01, b: 0.01, c: 0.01, d: 0.01 }, 1_000, 1);

    expect(trials.length).toBeGreaterThan(15);
    expect(falseAlarms(trials).low).toBeLessThanOrEqual(settings.alpha);
    expect(trials.filter(({ end }) => end === 'promote').length).toBeGreaterThan(0.8 * trials.length);
  });

  test('alarms for a lane one of whose processes fails more', () => {
    const trials = trialsIn({ a: 0.01, b: 0.08 }, 600, 2);

    expect(trials.length).toBeGreaterThan(5);
    expect(falseAlarms(trials).low).toBeGreaterThan(settings.alpha);
    expect(observedText(trials, settings.alpha).at(-1)).toMatch(/^more than alpha allows/);
  });

  test('makes no sample of a reading without one of them; the next whole one covers the gap', () => {
    const lane = proxies(seeded(3), { a: 0, b: 0 });
    const at = (watch: Watch, atSec: number, seen = lane.seen()) => lookAgain(watch, { atSec, seen }).watch;
    lane.work();
    const first = at(beginWatch('blue', { ...settings, slow: ['latency'] }, hour), 0);
    lane.work();
    const missing = at(first, 2, [...lane.seen().slice(0, 1), { id: 'b', ready: true, series: undefined }]);
    lane.work();
    const whole = at(missing, 4);

    expect(missing.past).toEqual([]);
    expect(whole.past).toMatchObject([{ seconds: 4, live: { requests: 800 }, latency: { live: [[60, 800]] } }]);
  });

  test('refuses to halve one process', () => {
    const lane = proxies(seeded(4), { a: 0 });

    expect(() => lookAgain(beginWatch('blue', settings, hour), { atSec: 0, seen: lane.seen() })).toThrow(
      'two processes of the live lane must tell their requests: current value is 1',
    );
  });
});

describe('observe()', () => {
  const spec = { app: 'test', release: aSpec } as Spec;

  async function observed(live: Lane | undefined, processes: Processes, looks: number) {
    const { journal } = openMemoryJournal();
    const told = new AbortController();
    const head = JSON.parse(JSON.stringify({ ...emptyHead('test'), live }));
    await journal.write(head, undefined, told.signal);
    const seen: Observation[] = [];
    let left = looks;
    const counted: Processes = {
      observe(lane, signal) {
        if (--left <= 0) told.abort();
        return processes.observe(lane, signal);
      },
    };
    for await (const one of observe({ spec, journal, processes: counted, alpha: 0.1, everyMs: 1 }, told.signal))
      seen.push(one);
    return seen;
  }

  test('reads the live lane, tells what it compares, and once what it cannot see', async () => {
    const lane = proxies(seeded(5), { a: 0, b: 0 });
    let looks = 0;
    const asked = new Set<Lane>();

    const seen = await observed(
      'green',
      {
        async observe(of) {
          asked.add(of);
          if (++looks > 1) throw Object.assign(new Error('nobody lists it'), { name: 'HeadgateError' });
          return lane.seen();
        },
      },
      4,
    );

    expect([...asked]).toEqual(['green']);
    expect(seen).toMatchObject([
      { kind: 'begun', lane: 'green', settings: { alpha: 0.1, slow: ['latency'] } },
      { kind: 'unseen', message: 'nobody lists it' },
    ]);
  });

  test('refuses where nothing is live', async () => {
    const nobody: Processes = { observe: async () => [] };

    await expect(observed(undefined, nobody, 2)).rejects.toMatchObject({ code: 'REFUSED' });
  });
});

test('observedText() says when there are too few trials to tell, and when there are enough', () => {
  const aTrial = { end: 'promote', seconds: 180, text: '' } as unknown as Trial;

  expect(observedText([aTrial, aTrial], 0.1)).toEqual([
    '0 false alarms in 2 trials: a rate of 0.0 % to 77.6 %, beside alpha = 10.0 %',
    'too few trials to tell: 29 without a false alarm would show that it is within alpha',
  ]);
  expect(
    observedText(
      Array.from({ length: 29 }, () => aTrial),
      0.1,
    ).at(-1),
  ).toBe('within alpha');
  expect(observedText([], 0.1)[0]).toContain('no trial has ended');
});
