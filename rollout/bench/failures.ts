/** The failure rule by simulation: its errors, its power, and how long it takes. */
import { lineAt } from '../src/judge/block.ts';
import { natsPerRequest } from '../src/judge/needed.ts';
import { presets } from '../src/judge/presets.ts';
import { allowed, mean, median, share } from './figures.ts';
import { byPreset, percentOf, playMany, settingsOf, worldOf } from './many.ts';
import { note, report, runsOf } from './part.ts';
import type { World } from './world.ts';

/** A1 and A3: nulls and boundaries, both sides. */
export function errors(): void {
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
export function power(): void {
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
export function times(): void {
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
