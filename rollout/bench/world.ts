import { binomial, type Chance } from '../src/judge/chance.rig.ts';
import * as failures from '../src/judge/failures.ts';
import type { LaneCounts } from '../src/judge/verdict.ts';

/** Traffic of both lanes, scrape by scrape. Rates are chances to fail at second `t`. */
export type World = {
  readonly requestsPerSec: number;
  readonly weight: number;
  readonly scrapeSec: number;
  readonly endSec: number;
  readonly live: (t: number) => number;
  readonly candidate: (t: number) => number;
};

/** How failures come: singly, or in clusters of geometric size. */
export type Fail = (chance: Chance, n: number, p: number) => number;

export type Ending = { readonly kind: 'rollback' | 'promote' | 'end'; readonly sec: number; readonly requests: number };

/** Clusters of mean size `mean`: all requests of one fail together, in one lane. */
export function clustered(mean: number): Fail {
  return (chance, n, p) => {
    let failed = 0;
    for (let event = binomial(chance, n, p / mean); event > 0; event--) {
      failed += 1 + Math.floor(Math.log(1 - chance()) / Math.log(1 - 1 / mean));
    }
    return Math.min(n, failed);
  };
}

/** A pair rule with 10 minutes of live traffic behind it. */
export function primed(
  settings: failures.PairSettings,
  world: World,
  chance: Chance,
  fail: Fail = binomial,
): failures.PairState {
  let state = failures.start(settings, world.weight);
  const n = Math.round(world.requestsPerSec * 10);
  for (let stretch = 0; stretch < 60; stretch++) {
    state = failures.prime(state, { requests: n, failures: fail(chance, n, world.live(0)) }, 10);
  }
  return state;
}

/** Plays until the rule says one of `ends`, or the world ends. */
export function play(
  start: failures.PairState,
  world: World,
  { chance, ends, fail = binomial }: { chance: Chance; ends: 'rollback' | 'promote' | 'either'; fail?: Fail },
): Ending {
  let state = start;
  for (let t = 0; t < world.endSec; t += world.scrapeSec) {
    const { live, candidate } = scrape(world, t, chance, fail);
    const [next, verdict] = failures.step(state, live, candidate, world.scrapeSec);
    state = next;
    const { kind } = verdict;
    if (kind !== 'hold' && (ends === 'either' || ends === kind)) {
      return { kind, sec: t + world.scrapeSec, requests: state.counts.candidate.requests };
    }
  }
  return { kind: 'end', sec: world.endSec, requests: state.counts.candidate.requests };
}

export function scrape(
  world: World,
  t: number,
  chance: Chance,
  fail: Fail = binomial,
): { live: LaneCounts; candidate: LaneCounts } {
  const n = Math.round(world.requestsPerSec * world.scrapeSec);
  const nC = binomial(chance, n, world.weight);
  const nL = n - nC;
  return {
    live: { requests: nL, failures: fail(chance, nL, world.live(t)) },
    candidate: { requests: nC, failures: fail(chance, nC, world.candidate(t)) },
  };
}
