import { defaultJudge, primeJudge, startJudge, stepJudge, weightChanged } from '../src/judge/judge.ts';
import { countsOnly } from '../src/judge/sample.ts';
import { readyForStep } from '../src/judge/steps.ts';
import { allowed, share } from './figures.ts';
import { percentOf, worldOf } from './many.ts';
import { nextChance, report, runsOf } from './part.ts';
import { scrape, type World } from './world.ts';

/** A6: the whole judge with weight steps 5, 25, 50. */
export function ramp(): void {
  const runs = runsOf(1_000);
  const end = (world: World) => Array.from({ length: runs }, () => rampOnce(world));
  for (const pL of [0.001, 0.01]) {
    const endings = end(worldOf({ pL, pC: pL }));
    report({
      name: `A6 ramp, equal lanes at ${percentOf(pL)}, 100/s: rolled back`,
      measured: share(endings, (kind) => kind === 'rollback'),
      bound: allowed(0.01, runs),
      unit: '%',
    });
    report({
      name: `A6 ramp, equal lanes at ${percentOf(pL)}, 100/s: promoted`,
      measured: share(endings, (kind) => kind === 'promote'),
      bound: 0.97,
      unit: '%',
      atLeast: true,
    });
  }
  for (const [pL, pC] of [
    [0.001, 0.01],
    [0.01, 0.05],
    [0, 1],
  ] as const) {
    report({
      name: `A6 ramp, ${percentOf(pL)} to ${percentOf(pC)}: caught`,
      measured: share(end(worldOf({ pL, pC })), (kind) => kind === 'rollback'),
      bound: 0.98,
      unit: '%',
      atLeast: true,
    });
  }
  const later = { ...worldOf({ pL: 0.01, pC: 0 }), candidate: (t: number) => (t < 100 ? 0.01 : 0.05) };
  report({
    name: 'A6 ramp, 1 to 5 % after 100 s: caught',
    measured: share(end(later), (kind) => kind === 'rollback'),
    bound: 0.98,
    unit: '%',
    atLeast: true,
  });
}

const rampWeights = [5, 25, 50] as const;

function rampOnce(world: World): 'rollback' | 'promote' | 'end' {
  const chance = nextChance();
  const counts = ({ requests, failures: failed }: { requests: number; failures: number }) => ({
    requests,
    failed,
    refused: 0,
  });
  let state = startJudge(defaultJudge);
  for (let stretch = 0; stretch < 60; stretch++) {
    state = primeJudge(state, {
      ...countsOnly,
      seconds: 10,
      live: counts(scrape({ ...world, weight: 0, scrapeSec: 10 }, 0, chance).live),
    });
  }
  let step = 0;
  for (let t = 0; t < world.endSec; t += world.scrapeSec) {
    const candidateShare = rampWeights[step] ?? 50;
    const { live, candidate } = scrape({ ...world, weight: candidateShare / 100 }, t, chance);
    const sample = {
      seconds: world.scrapeSec,
      candidateShare,
      live: counts(live),
      candidate: counts(candidate),
      ...countsOnly,
    };
    const [next, verdict] = stepJudge(state, sample);
    state = next;
    if (verdict.kind === 'rollback') return 'rollback';
    if (!readyForStep(verdict, step, rampWeights.length, defaultJudge)) continue;
    step++;
    if (step === rampWeights.length) return 'promote';
    const [changed, last] = weightChanged(state, rampWeights[step] ?? 50);
    state = changed;
    if (last.kind === 'rollback') return 'rollback';
  }
  return 'end';
}
