/** The failure and share rules by simulation, and what the whole judge makes of them. */
import { lineAt } from '../src/judge/block.ts';
import * as failures from '../src/judge/failures.ts';
import { defaultJudge, primeJudge, startJudge, stepJudge, weightChanged } from '../src/judge/judge.ts';
import { logSumExp } from '../src/judge/ledger.ts';
import { natsPerRequest } from '../src/judge/needed.ts';
import { type Lines, presets } from '../src/judge/presets.ts';
import { countsOnly } from '../src/judge/sample.ts';
import * as shareGuard from '../src/judge/share.ts';
import { readyForStep } from '../src/judge/steps.ts';
import { allowed, mean, median, share } from './figures.ts';
import { nextChance, note, type Parts, report, runsOf } from './part.ts';
import { clustered, type Ending, type Fail, play, primed, scrape, type World } from './world.ts';

const never = 1e12;
const settingsOf = (lines: Lines, bakeSec = never): failures.PairSettings => ({
  alpha: 0.01,
  beta: 0.01,
  bakeSec,
  ...lines,
});
const constant = (p: number) => () => p;
const percentOf = (p: number) => `${+(100 * p).toFixed(3)} %`;

type Runs = {
  readonly runs: number;
  readonly settings: failures.PairSettings;
  readonly ends: 'rollback' | 'promote' | 'either';
  readonly fail?: Fail;
};

function playMany(world: World, { runs, settings, ends, fail }: Runs): Ending[] {
  return Array.from({ length: runs }, () => {
    const chance = nextChance();
    const given = fail === undefined ? { chance, ends } : { chance, ends, fail };
    return play(primed(settings, world, chance, fail), world, given);
  });
}

function worldOf(given: Partial<World> & { pL: number; pC: number }): World {
  const { pL, pC } = given;
  return {
    requestsPerSec: 100,
    weight: 0.05,
    scrapeSec: 1,
    endSec: 3600,
    live: constant(pL),
    candidate: constant(pC),
    ...given,
  };
}

const byPreset = { strict: presets.strict, default: presets.default };

/** A1 and A3: nulls and boundaries, both sides. */
function errors(): void {
  const runs = runsOf(10_000);
  for (const pL of [0.001, 0.01, 0.05]) {
    for (const [name, lines] of Object.entries(byPreset)) {
      const far = { pL, requestsPerSec: 5_000, endSec: 200, weight: 0.25 };
      const atLine = playMany(worldOf({ ...far, pC: lineAt(lines.tolerated, pL) }), {
        runs,
        settings: settingsOf(lines),
        ends: 'rollback',
      });
      report({
        name: `A1 false rollback on the tolerated line, ${name}, ${percentOf(pL)}, to 1e6 requests`,
        measured: share(atLine, ({ kind }) => kind === 'rollback'),
        bound: allowed(0.01, runs),
        unit: '%',
      });
    }
    const world = worldOf({
      pL,
      requestsPerSec: 5_000,
      endSec: 200,
      weight: 0.25,
      pC: lineAt(presets.default.unacceptable, pL),
    });
    const promoted = playMany(world, { runs, settings: settingsOf(presets.default, 0), ends: 'promote' });
    report({
      name: `A1 false promotion on the unacceptable line, ${percentOf(pL)}, to 1e6 requests`,
      measured: share(promoted, ({ kind }) => kind === 'promote'),
      bound: allowed(0.01, runs),
      unit: '%',
    });
  }
  for (const weight of [0.05, 0.25, 0.5]) fixedWeight(weight);
}

function fixedWeight(weight: number): void {
  const runs = runsOf(2_000);
  for (const pL of [0.001, 0.01]) {
    const given = { pL, weight, scrapeSec: 5, endSec: 1800 };
    const equal = playMany(worldOf({ ...given, pC: pL }), {
      runs,
      settings: settingsOf(presets.default),
      ends: 'rollback',
    });
    report({
      name: `A3 false rollback of equal lanes, ${percentOf(pL)} at ${100 * weight} %, 30 min at 100/s`,
      measured: share(equal, ({ kind }) => kind === 'rollback'),
      bound: allowed(0.01, runs),
      unit: '%',
    });
    const bad = worldOf({ ...given, pC: lineAt(presets.default.unacceptable, pL) });
    const promoted = playMany(bad, { runs, settings: settingsOf(presets.default, 180), ends: 'promote' });
    report({
      name: `A3 false promotion, ${percentOf(pL)} to unacceptable at ${100 * weight} %`,
      measured: share(promoted, ({ kind }) => kind === 'promote'),
      bound: allowed(0.01, runs),
      unit: '%',
    });
  }
}

/** A2: candidate requests until rollback, against the information bound of two unknown rates. */
function power(): void {
  const cases = [
    [0.001, 0.01],
    [0.01, 0.02],
    [0.01, 0.05],
    [0.05, 0.1],
  ] as const;
  for (const [name, lines] of Object.entries(byPreset)) {
    for (const [pL, pC] of cases) {
      for (const weight of [0.05, 0.25, 0.5]) {
        const endings = playMany(worldOf({ pL, pC, weight, endSec: 36_000 }), {
          runs: runsOf(1_000),
          settings: settingsOf(lines),
          ends: 'rollback',
        });
        const bound = Math.log(100) / natsPerRequest({ pL, pC, weight, line: lines.tolerated });
        report({
          name: `A2 requests to rollback, ${name}, ${percentOf(pL)} to ${percentOf(pC)} at ${100 * weight} % (bound ${Math.round(bound)})`,
          measured: mean(endings.map(({ requests }) => requests)) / bound,
          bound: name === 'strict' ? 1.65 : 1.6,
          unit: 'x',
        });
      }
    }
  }
  for (const weight of [0.05, 0.25, 0.5]) {
    const outage = (requestsPerSec: number) => {
      const world = worldOf({ pL: 0.001, pC: 1, weight, requestsPerSec, endSec: 3_600 });
      const endings = playMany(world, { runs: runsOf(1_000), settings: settingsOf(presets.default), ends: 'rollback' });
      return median(endings.map(({ requests }) => requests));
    };
    report({
      name: `A2 total outage at ${100 * weight} %, one request a scrape, median`,
      measured: outage(1),
      bound: 12,
      unit: 'requests',
    });
    note(`the same with 4 candidate requests a scrape on average, blocks are whole scrapes: ${outage(4 / weight)}`);
  }
}

/** A4 and A5: seconds until the decision. */
function times(): void {
  const bursts = (height: number) => (t: number) => (t % 30 >= 25 ? height : 0.01);
  const onsets: readonly (readonly [string, number, World])[] = [
    ['0 to 100 % at 1000/s and 5 %', 3, worldOf({ pL: 0, pC: 1, requestsPerSec: 1000 })],
    ['0 to 100 % at 100/s and 5 %', 4, worldOf({ pL: 0, pC: 1 })],
    ['0 to 100 % at 1/s and 50 %', 30, worldOf({ pL: 0, pC: 1, requestsPerSec: 1, weight: 0.5 })],
    ['1 to 5 % at 100/s and 5 %', 45, worldOf({ pL: 0.01, pC: 0.05 })],
    ['0.1 to 1 % at 100/s and 5 %', 145, worldOf({ pL: 0.001, pC: 0.01 })],
    ['0.1 to 1 % at 1000/s and 5 %', 18, worldOf({ pL: 0.001, pC: 0.01, requestsPerSec: 1000 })],
    ['1 to 2 % at 1000/s and 5 %', 60, worldOf({ pL: 0.01, pC: 0.02, requestsPerSec: 1000 })],
    [
      'bursts of 20 % for 5 s in 30, else 1 %, at 100/s and 5 %',
      100,
      { ...worldOf({ pL: 0.01, pC: 0.01 }), candidate: bursts(0.2) },
    ],
  ];
  for (const [name, bound, world] of onsets) {
    const endings = playMany(world, { runs: runsOf(1_000), settings: settingsOf(presets.default), ends: 'rollback' });
    report({ name: `A4 ${name}, median`, measured: median(endings.map(({ sec }) => sec)), bound, unit: 's' });
  }
  const weak = { ...worldOf({ pL: 0.01, pC: 0.01 }), candidate: bursts(0.1) };
  const found = playMany(weak, { runs: runsOf(1_000), settings: settingsOf(presets.default), ends: 'rollback' });
  note(`A4 bursts of half that height, median ${median(found.map(({ sec }) => sec))} s`);
  const good: readonly (readonly [string, number, World])[] = [
    ['0.1 % at 1000/s and 5 % (the bake binds)', 200, worldOf({ pL: 0.001, pC: 0.001, requestsPerSec: 1000 })],
    ['1 % at 100/s and 5 %', 370, worldOf({ pL: 0.01, pC: 0.01 })],
    ['0.1 % at 1/s and 50 %', 3600, worldOf({ pL: 0.001, pC: 0.001, requestsPerSec: 1, weight: 0.5, endSec: 36_000 })],
  ];
  for (const [name, bound, world] of good) {
    const endings = playMany(world, {
      runs: runsOf(1_000),
      settings: settingsOf(presets.default, 180),
      ends: 'either',
    });
    report({
      name: `A5 good release, ${name}, median`,
      measured: median(endings.map(({ sec }) => sec)),
      bound,
      unit: 's',
    });
    report({
      name: `A5 good release, ${name}, promoted`,
      measured: share(endings, ({ kind }) => kind === 'promote'),
      bound: 0.97,
      unit: '%',
      atLeast: true,
    });
  }
}

/** A6: the whole judge with weight steps 5, 25, 50. */
function ramp(): void {
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

/** A9, and the traffic-share guard: what must not be mistaken for a bad release. */
function guards(): void {
  const runs = runsOf(2_000);
  for (const size of [2, 5]) {
    const world = worldOf({ pL: 0.01, pC: 0.01, weight: 0.25, scrapeSec: 5, endSec: 1800 });
    const endings = playMany(world, {
      runs,
      settings: settingsOf(presets.default),
      ends: 'rollback',
      fail: clustered(size),
    });
    report({
      name: `A9 false rollback, failures in clusters of mean size ${size}`,
      measured: share(endings, ({ kind }) => kind === 'rollback'),
      bound: allowed(0.015, runs),
      unit: '%',
    });
  }
  const drifting = Array.from({ length: runs }, simpson);
  report({
    name: 'A9 false rollback, both lanes drift 1 to 6 % while the weight steps',
    measured: share(drifting, Boolean),
    bound: allowed(0.01, runs),
    unit: '%',
  });
  const eight = Array.from({ length: runs }, eightMetrics);
  report({
    name: 'A9 false rollback, 8 metrics on one alpha',
    measured: share(eight, Boolean),
    bound: allowed(0.01, runs),
    unit: '%',
  });
  const onset = {
    ...worldOf({ pL: 0.01, pC: 0, weight: 0.25, endSec: 5400 }),
    candidate: (t: number) => (t < 1800 ? 0.01 : 0.05),
  };
  const late = playMany(onset, { runs: runsOf(500), settings: settingsOf(presets.default), ends: 'rollback' });
  report({
    name: 'A9 1 to 5 % after 30 good minutes at 100/s and 25 %, median delay',
    measured: median(late.map(({ sec }) => sec - 1800)),
    bound: 60,
    unit: 's',
  });
  report({ name: 'A9 state of one failure metric after an hour', measured: stateBytes(), bound: 2000, unit: 'bytes' });
  const fair = Array.from({ length: runs }, () => shareRun(1).kind);
  report({
    name: 'share: false rollback at the right share, 30 min at 100/s and 5 %',
    measured: share(fair, (kind) => kind === 'rollback'),
    bound: allowed(0.01, runs),
    unit: '%',
  });
  const edge = Array.from({ length: runs }, () => shareRun(0.9).kind);
  report({
    name: 'share: false rollback at 0.9 of it',
    measured: share(edge, (kind) => kind === 'rollback'),
    bound: allowed(0.01, runs),
    unit: '%',
  });
  note(
    `share: half of the requests lost, median ${median(Array.from({ length: runsOf(500) }, () => shareRun(0.5).sec))} s`,
  );
}

function simpson(): boolean {
  const chance = nextChance();
  const p = (t: number) => 0.01 + 0.05 * Math.min(1, t / 600);
  const world = { ...worldOf({ pL: 0, pC: 0 }), live: p, candidate: p, scrapeSec: 5 };
  let state = primed(settingsOf(presets.default), world, chance);
  for (let t = 0; t < 900; t += world.scrapeSec) {
    const weight = t < 200 ? 0.05 : t < 400 ? 0.25 : 0.5;
    if (t === 200 || t === 400) state = failures.onWeightChange(state, weight)[0];
    const { live, candidate } = scrape({ ...world, weight }, t, chance);
    const [next, verdict] = failures.step(state, live, candidate, world.scrapeSec);
    state = next;
    if (verdict.kind === 'rollback') return true;
  }
  return false;
}

function eightMetrics(): boolean {
  const chance = nextChance();
  const world = worldOf({ pL: 0.01, pC: lineAt(presets.default.tolerated, 0.01), weight: 0.25, scrapeSec: 5 });
  const states = Array.from({ length: 8 }, () => primed(settingsOf(presets.default), world, chance));
  for (let t = 0; t < 600; t += world.scrapeSec) {
    const logs = states.map((state, i) => {
      const { live, candidate } = scrape(world, t, chance);
      const [next, verdict] = failures.step(state, live, candidate, world.scrapeSec);
      states[i] = next;
      return verdict.logRollback - Math.log(8);
    });
    if (logSumExp(logs) >= Math.log(100)) return true;
  }
  return false;
}

function stateBytes(): number {
  const chance = nextChance();
  const world = worldOf({ pL: 0.01, pC: 0.01 });
  let state = primed(settingsOf(presets.default), world, chance);
  let most = 0;
  for (let t = 0; t < 3600; t++) {
    const { live, candidate } = scrape(world, t, chance);
    state = failures.step(state, live, candidate, 1)[0];
    most = Math.max(most, JSON.stringify(state).length);
  }
  return most;
}

function shareRun(part: number): { kind: string; sec: number } {
  const chance = nextChance();
  let state = shareGuard.start({ alpha: 0.01, weight: 0.05 });
  for (let t = 1; t <= 1800; t++) {
    const { live, candidate } = scrape({ ...worldOf({ pL: 0, pC: 0 }), weight: 0.05 * part }, t, chance);
    const [next, verdict] = shareGuard.step(state, { live: live.requests, candidate: candidate.requests }, 1);
    state = next;
    if (verdict.kind === 'rollback') return { kind: 'rollback', sec: t };
  }
  return { kind: 'end', sec: 1800 };
}

export const failureParts: Parts = { errors, power, times, ramp, guards };
