/** Many releases of the failure rule in one kind of world. */
import type * as failures from '../src/judge/failures.ts';
import { type Lines, presets } from '../src/judge/presets.ts';
import { nextChance } from './part.ts';
import { type Ending, type Fail, play, primed, type World } from './world.ts';

const never = 1e12;
export const settingsOf = (lines: Lines, bakeSec = never): failures.PairSettings => ({
  alpha: 0.01,
  beta: 0.01,
  bakeSec,
  ...lines,
});
const constant = (p: number) => () => p;
export const percentOf = (p: number) => `${+(100 * p).toFixed(3)} %`;

type Runs = {
  readonly runs: number;
  readonly settings: failures.PairSettings;
  readonly ends: 'rollback' | 'promote' | 'either';
  readonly fail?: Fail;
};

export function playMany(world: World, { runs, settings, ends, fail }: Runs): Ending[] {
  return Array.from({ length: runs }, () => {
    const chance = nextChance();
    const given = fail === undefined ? { chance, ends } : { chance, ends, fail };
    return play(primed(settings, world, chance, fail), world, given);
  });
}

export function worldOf(given: Partial<World> & { pL: number; pC: number }): World {
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

export const byPreset = { strict: presets.strict, default: presets.default };
