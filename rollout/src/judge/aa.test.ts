import { expect, test } from '@jest/globals';
import { lineAt } from './block.ts';
import { binomial, type Chance, seeded } from './chance.rig.ts';
import { defaultJudge, primeJudge, startJudge, startWatch, stepJudge } from './judge.ts';
import { presets } from './presets.ts';
import { type Counts, countsOnly } from './sample.ts';
import type { VerdictKind } from './verdict.ts';

/** The promises on errors, on the whole judge and in small; `bench/judge.ts` has them in full. */
const runs = 200;
/** 1 %, and 3.1 standard errors for the sample's size. */
const errorsMax = runs * (0.01 + 3.1 * Math.sqrt((0.01 * 0.99) / runs));
const live = { failed: 0.01, refused: 0.03 };

type Rates = typeof live;

const history: Counts = { requests: 60_000, failed: 600, refused: 1_800 };
const primed = primeJudge(startJudge(defaultJudge), { ...countsOnly, seconds: 600, live: history });

test.each([
  { what: 'equal lanes', candidate: live },
  {
    what: 'a candidate at the edge of what is tolerated',
    candidate: {
      failed: lineAt(presets.default.tolerated, live.failed),
      refused: lineAt(presets.relaxed.tolerated, live.refused),
    },
  },
])('at most 1 % of releases are rolled back: $what', ({ candidate }) => {
  const endings = Array.from({ length: runs }, (_, seed) => compare(seeded(seed), candidate, 'rollback'));

  expect(endings.filter((kind) => kind === 'rollback').length).toBeLessThanOrEqual(errorsMax);
});

test('a candidate at the edge of the unacceptable is promoted in 1 % of releases at most', () => {
  const candidate = { failed: lineAt(presets.default.unacceptable, live.failed), refused: live.refused };
  const endings = Array.from({ length: runs }, (_, seed) => compare(seeded(1_000 + seed), candidate, 'promote'));

  expect(endings.filter((kind) => kind === 'promote').length).toBeLessThanOrEqual(errorsMax);
});

test('equal lanes are promoted', () => {
  const endings = Array.from({ length: 25 }, (_, seed) => compare(seeded(2_000 + seed), live, 'promote'));

  expect(endings.filter((kind) => kind === 'promote').length).toBeGreaterThanOrEqual(24);
});

test('a promoted lane that fails as live did is called back in 1 % of watches at most', () => {
  const endings = Array.from({ length: runs }, (_, seed) => watch(seeded(3_000 + seed)));

  expect(endings.filter((kind) => kind === 'rollback').length).toBeLessThanOrEqual(errorsMax);
});

/** 10 minutes at 25 % of 100 requests/s, until the judge says `end`. */
function compare(chance: Chance, candidate: Rates, end: VerdictKind): VerdictKind {
  let state = primed;
  for (let t = 0; t < 600; t += 20) {
    const nC = binomial(chance, 2_000, 0.25);
    const sample = { live: drawn(chance, 2_000 - nC, live), candidate: drawn(chance, nC, candidate) };
    const [next, verdict] = stepJudge(state, { ...rest, candidateShare: 25, ...sample });
    if (verdict.kind === end) return end;
    state = next;
  }
  return 'hold';
}

function watch(chance: Chance): VerdictKind {
  let state = startWatch(defaultJudge, history, { failed: 1, refused: 1 });
  for (let t = 0; t < 600; t += 20) {
    const sample = { live: drawn(chance, 0, live), candidate: drawn(chance, 2_000, live) };
    const [next, verdict] = stepJudge(state, { ...rest, candidateShare: 100, ...sample });
    if (verdict.kind === 'rollback') return 'rollback';
    state = next;
  }
  return 'hold';
}

const rest = { ...countsOnly, seconds: 20 };

function drawn(chance: Chance, requests: number, { failed, refused }: Rates): Counts {
  return { requests, failed: binomial(chance, requests, failed), refused: binomial(chance, requests, refused) };
}
