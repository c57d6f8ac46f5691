import * as capacity from '../src/judge/capacity.ts';
import { binomial, type Chance } from '../src/judge/chance.rig.ts';
import { allowed, median, share } from './figures.ts';
import { nextChance, report, runsOf } from './part.ts';

/** A queue of two lanes, look by look. Both functions give messages per second at second `t`; a lane can do `capacityOf` times its share. */
type World = {
  readonly weight: number;
  readonly arrivals: (t: number) => number;
  readonly live: (t: number) => number;
  readonly candidate: (t: number) => number;
};

const looksSec = 5;
const usual = 20;
/** In the stated headroom: a lane can do a good fifth more than its share of the usual arrivals. */
const healthy = () => 1.25;

/** A8. */
export function lagPart(): void {
  const runs = runsOf(2_000);
  for (const weight of [0.05, 0.25, 0.5]) {
    const at = `at ${100 * weight} %`;
    falseRollback(`steady traffic ${at}`, { ...steady, weight }, runs);
    falseRollback(
      `a tenfold burst of 20 s ${at}`,
      { ...steady, weight, arrivals: (t) => (t >= 60 && t < 80 ? 10 : 1) * usual },
      runs,
    );
    falseRollback(
      `both lanes at half speed for 90 s ${at}`,
      { ...steady, weight, live: slowed, candidate: slowed },
      runs,
    );
  }
  // A pause is shorter than the block that could blame it.
  falseRollback(
    'the candidate pauses for 3 s',
    { ...steady, weight: 0.5, candidate: (t) => (t >= 60 && t < 63 ? 0 : 1.25) },
    runs,
  );
  for (const weight of [0.25, 0.5]) stall(weight, runs);
  tooSlow(runs);
}

const steady: World = { weight: 0.25, arrivals: () => usual, live: healthy, candidate: healthy };
const slowed = (t: number) => (t >= 60 && t < 150 ? 0.6 : 1.25);

function falseRollback(name: string, world: World, runs: number): void {
  const endings = Array.from({ length: runs }, () => play(world, 600));
  const measured = share(endings, ({ kind }) => kind === 'rollback');
  report({ name: `A8 false rollback, ${name}`, measured, bound: allowed(0.01, runs), unit: '%' });
}

function stall(weight: number, runs: number): void {
  const onset = 60;
  const world = { ...steady, weight, candidate: (t: number) => (t < onset ? 1.25 : 0) };
  const endings = Array.from({ length: runs }, () => play(world, 600));
  const measured = median(endings.map(({ kind, sec }) => (kind === 'rollback' ? sec - onset : 600)));
  report({
    name: `A8 a candidate that stops at ${100 * weight} %, found after (median)`,
    measured,
    bound: 45,
    unit: 's',
  });
}

function tooSlow(runs: number): void {
  const world = { ...steady, weight: 0.5, candidate: () => 0.8 };
  const endings = Array.from({ length: runs }, () => play(world, 900));
  const measured = share(endings, ({ kind }) => kind === 'promote');
  report({
    name: 'A8 promoted, a candidate that does 0.8 of its arrivals',
    measured,
    bound: allowed(0.025, runs),
    unit: '%',
  });
}

type Ending = { readonly kind: 'rollback' | 'promote' | 'end'; readonly sec: number };

function play(world: World, endSec: number): Ending {
  const chance = nextChance();
  let state = capacity.prime(
    capacity.start({ alpha: 0.01, beta: 0.01, bakeSec: 180 }, world.weight),
    usual,
    world.weight,
  );
  const live = openLane(1 - world.weight);
  const candidate = openLane(world.weight);
  for (let t = 0; t < endSec; t += looksSec) {
    for (let second = t; second < t + looksSec; second++) {
      live.pass(chance, world.arrivals(second), world.live(second));
      candidate.pass(chance, world.arrivals(second), world.candidate(second));
    }
    const [next, { kind }] = capacity.step(state, live.look(), candidate.look(), looksSec);
    state = next;
    if (kind !== 'hold') return { kind, sec: t + looksSec };
  }
  return { kind: 'end', sec: endSec };
}

/** One lane: what comes, what waits, and what its consumer does of it. */
function openLane(part: number) {
  let backlog = 0;
  let arrived = 0;
  let acked = 0;
  return {
    pass(chance: Chance, perSec: number, speed: number) {
      const came = poisson(chance, perSec * part);
      const done = Math.min(backlog + came, poisson(chance, usual * part * speed));
      backlog += came - done;
      arrived += came;
      acked += done;
    },
    look(): capacity.LaneQueue {
      const seen = { arrived, acked, expired: 0, backlog };
      arrived = 0;
      acked = 0;
      return seen;
    },
  };
}

function poisson(chance: Chance, mean: number): number {
  return mean <= 0 ? 0 : binomial(chance, 20_000, mean / 20_000);
}
