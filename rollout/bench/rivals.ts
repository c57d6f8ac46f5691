import { binomial, type Chance } from '../src/judge/chance.rig.ts';
import { defaultJudge, type JudgeState, primeJudge, startJudge, stepJudge, weightChanged } from '../src/judge/judge.ts';
import { countsOnly } from '../src/judge/sample.ts';
import { readyForStep } from '../src/judge/steps.ts';
import { median } from './figures.ts';
import { nextChance, note, runsOf } from './part.ts';

/**
 * The decision rules of three tools on the same releases, second by second. Only the rules: no tool's scrape lag, query
 * or reconciliation is charged, which all of them add in life.
 */
interface Tool {
  /** Counts of one second, of the candidate alone and of live. Answers the next weight, or how it ends. */
  second(live: Count, candidate: Count): number | 'rollback' | 'promote';
}
type Count = { readonly requests: number; readonly failed: number };

type Case = { readonly name: string; readonly pL: number; readonly pC: number; readonly bad: boolean };

const perSec = 100;
const endSec = 3_600;
const cases: readonly Case[] = [
  { name: 'good, 0.1 %', pL: 0.001, pC: 0.001, bad: false },
  { name: 'good, 1 %', pL: 0.01, pC: 0.01, bad: false },
  { name: '0.1 to 1.5 %', pL: 0.001, pC: 0.015, bad: true },
  { name: '1 to 5 %', pL: 0.01, pC: 0.05, bad: true },
  { name: '1 to 20 %', pL: 0.01, pC: 0.2, bad: true },
  { name: 'all fail', pL: 0.001, pC: 1, bad: true },
];

/** A limit on the success ratio, as both tools' documentation sets it. */
const limit = 0.99;

const tools: Readonly<Record<string, (chance: Chance, pL: number) => Tool>> = {
  'Headgate, defaults': headgate,
  'Flagger, 1 m, threshold 10, 5 % to 50 %': () => flagger({ intervalSec: 60, threshold: 10, step: 5, most: 50 }),
  'Flagger, 10 s, threshold 1 (its floor)': () => flagger({ intervalSec: 10, threshold: 1, step: 5, most: 50 }),
  'Argo Rollouts, 5 m, failureLimit 3, 20/40/60/80': () =>
    argo({ intervalSec: 300, failureLimit: 3, steps: [20, 40, 60, 80], stepSec: 600 }),
  'Argo Rollouts, 10 s, failureLimit 0, 5/25/50': () =>
    argo({ intervalSec: 10, failureLimit: 0, steps: [5, 25, 50], stepSec: 60 }),
};

/** Prints, for each tool and case, how releases end, what users saw fail beyond live's own rate, and when the weight was 0. */
export function rivals(): void {
  const runs = runsOf(500);
  note(
    'static limit of the others: 99 % success, the documented one. It suits a live rate of 0.1 %; at 1 % it is a coin thrown at each look.',
  );
  note(
    `${'tool'.padEnd(50)} ${'release'.padEnd(13)} ${'wrong'.padStart(8)} ${'failed more'.padStart(12)} ${'weight 0 after'.padStart(15)}`,
  );
  for (const one of cases) {
    for (const [name, open] of Object.entries(tools)) {
      const endings = Array.from({ length: runs }, () => {
        const chance = nextChance();
        return play(open(chance, one.pL), one, chance);
      });
      const wrong = endings.filter(({ kind }) => (one.bad ? kind === 'promote' : kind === 'rollback')).length / runs;
      const back = endings.filter(({ kind }) => kind === 'rollback').map(({ sec }) => sec);
      const failed = median(endings.map(({ failed: more }) => more));
      const after = one.bad && back.length > 0 ? `${median(back)} s` : '';
      const word = one.bad ? 'missed' : 'false';
      note(
        `${name.padEnd(50)} ${one.name.padEnd(13)} ${`${word} ${(100 * wrong).toFixed(1)} %`.padStart(14)} ${(one.bad ? failed.toFixed(0) : '').padStart(6)} ${after.padStart(12)}`,
      );
    }
  }
}

function play(tool: Tool, { pL, pC }: Case, chance: Chance) {
  let weight = 0;
  let failed = 0;
  for (let t = 0; t < endSec; t++) {
    const n = binomial(chance, perSec, weight / 100);
    const candidate = { requests: n, failed: binomial(chance, n, pC) };
    const live = { requests: perSec - n, failed: binomial(chance, perSec - n, pL) };
    failed += candidate.failed - n * pL;
    const next = tool.second(live, candidate);
    if (typeof next !== 'number') return { kind: next, sec: t + 1, failed };
    weight = next;
  }
  return { kind: 'end' as const, sec: endSec, failed };
}

function headgate(chance: Chance, pL: number): Tool {
  const weights = [5, 25, 50];
  const counts = ({ requests, failed }: Count) => ({ requests, failed, refused: 0 });
  let state: JudgeState = startJudge(defaultJudge);
  for (let t = 0; t < 60; t++) {
    const live = counts({ requests: 10 * perSec, failed: binomial(chance, 10 * perSec, pL) });
    state = primeJudge(state, { ...countsOnly, seconds: 10, live });
  }
  let step = -1;
  return {
    second(live, candidate) {
      if (step === -1) {
        step = 0;
        [state] = weightChanged(state, 5);
        return 5;
      }
      const candidateShare = weights[step] ?? 50;
      const sample = { ...countsOnly, seconds: 1, candidateShare, live: counts(live), candidate: counts(candidate) };
      const [next, verdict] = stepJudge(state, sample);
      state = next;
      if (verdict.kind === 'rollback') return 'rollback';
      if (!readyForStep(verdict, step, weights.length, defaultJudge)) return candidateShare;
      step++;
      if (step === weights.length) return 'promote';
      [state] = weightChanged(state, weights[step] ?? 50);
      return weights[step] ?? 50;
    },
  };
}

/** Its counter never goes back, and is tested before the next check is made: one interval later than it could. */
function flagger({
  intervalSec,
  threshold,
  step,
  most,
}: {
  intervalSec: number;
  threshold: number;
  step: number;
  most: number;
}): Tool {
  const window = openWindow();
  let weight = 0;
  let checks = 0;
  let t = 0;
  return {
    second(_live, candidate) {
      window.add(candidate);
      if (++t % intervalSec !== 0) return weight;
      if (checks >= threshold) return 'rollback';
      if (weight > 0 && window.take() < limit) {
        checks++;
        return weight;
      }
      window.take();
      if (weight >= most) return 'promote';
      weight += step;
      return weight;
    },
  };
}

/** Failed measurements above the limit end it; the steps go on meanwhile. */
function argo({
  intervalSec,
  failureLimit,
  steps,
  stepSec,
}: {
  intervalSec: number;
  failureLimit: number;
  steps: readonly number[];
  stepSec: number;
}): Tool {
  const window = openWindow();
  let failures = 0;
  let t = 0;
  return {
    second(_live, candidate) {
      window.add(candidate);
      t++;
      if (t % intervalSec === 0 && window.take() < limit) failures++;
      if (failures > failureLimit) return 'rollback';
      return steps[Math.floor(t / stepSec)] ?? 'promote';
    },
  };
}

/** The success ratio since it was last asked; 1 without a request. */
function openWindow() {
  let requests = 0;
  let failed = 0;
  return {
    add(count: Count) {
      requests += count.requests;
      failed += count.failed;
    },
    take(): number {
      const ratio = requests === 0 ? 1 : 1 - failed / requests;
      requests = 0;
      failed = 0;
      return ratio;
    },
  };
}
