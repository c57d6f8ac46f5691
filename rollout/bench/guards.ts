import { lineAt } from '../src/judge/block.ts';
import * as failures from '../src/judge/failures.ts';
import { logSumExp } from '../src/judge/ledger.ts';
import { presets } from '../src/judge/presets.ts';
import * as shareGuard from '../src/judge/share.ts';
import { allowed, median, share } from './figures.ts';
import { playMany, settingsOf, worldOf } from './many.ts';
import { nextChance, note, report, runsOf } from './part.ts';
import { clustered, primed, scrape } from './world.ts';

/** A9, and the traffic-share guard: what must not be mistaken for a bad release. */
export function guards(): void {
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
