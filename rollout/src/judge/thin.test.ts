import { expect, test } from '@jest/globals';
import { decideBySynthetic, defaultJudge, type JudgeState, startJudge, startWatch, stepJudge } from './judge.ts';
import { countsOnly, type Sample } from './sample.ts';
import type { Verdict } from './verdict.ts';

const settings = { ...defaultJudge, bakeSec: 10, compare: 'both' } as const;
const counts = (requests: number, failed = 0) => ({ requests, failed, refused: 0 });

/** One user's request a second in each lane, and 100 synthetic ones. */
function judged(state: JudgeState, seconds: number, given: Partial<Sample> = {}): Verdict {
  const sample: Sample = {
    ...countsOnly,
    seconds: 1,
    candidateShare: 50,
    live: counts(1),
    candidate: counts(1),
    probes: { live: counts(100), candidate: counts(100) },
    ...given,
  };
  let verdict: Verdict | undefined;
  for (let now = state, t = 0; t < seconds; t++) [now, verdict] = stepJudge(now, sample);
  if (verdict === undefined) throw new RangeError('at least a second');
  return verdict;
}

test('synthetic requests promote where users send too little, and only then', () => {
  const state = startJudge(settings);

  expect(judged(state, 120)).toMatchObject({ kind: 'hold', reason: 'evidence' });
  expect(judged(decideBySynthetic(state), 120)).toMatchObject({ kind: 'promote' });
});

test('they are not waited for while users send enough', () => {
  const users = { live: counts(500), candidate: counts(500), probes: { live: counts(0), candidate: counts(0) } };

  expect(judged(startJudge(settings), 60, users)).toMatchObject({ kind: 'promote' });
});

test("users' requests roll back all the same, and so do synthetic ones", () => {
  const state = decideBySynthetic(startJudge(settings));

  expect(judged(state, 60, { candidate: counts(1, 1) })).toMatchObject({ kind: 'rollback', reason: 'failed' });
  const bad = { probes: { live: counts(100), candidate: counts(100, 30) } };
  expect(judged(state, 10, bad)).toMatchObject({ kind: 'rollback', reason: 'probe-failed' });
});

test('where none are compared nothing changes, and a watch knows nothing of them', () => {
  expect(decideBySynthetic(startJudge(defaultJudge)).thin).toBe(false);
  expect(startWatch(settings, counts(1_000), { failed: 1, refused: 1 }).thin).toBe(false);
});
