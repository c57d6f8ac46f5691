import { instant, percent, weightsFor } from '../lane.ts';
import { type Around, begin } from '../policy/begin.ts';
import { evidenceOf } from '../policy/evidence.ts';
import type { Act, WishSeen } from '../policy/look.ts';
import { isOver } from '../policy/phase.ts';
import { type Command, emptyHead, type Head, type Release } from '../policy/release.ts';
import { turn } from '../policy/turn.ts';
import { add, count, type Game, newDriver, spec } from './game.ts';
import { orderOf, revisionNamed } from './named.ts';
import { obey } from './obey.ts';
import { meddle } from './others.ts';
import { checkTurn, endOf } from './promises.ts';
import { seeded } from './random.ts';
import { look } from './see.ts';
import { type Behaviour, good, makeWorld, pass, testMarker } from './world.ts';

/** How one simulated release went. `broken` lists every promise that was not kept, in words. */
export type Outcome = {
  readonly seed: number;
  readonly end: string;
  readonly broken: readonly string[];
  readonly looks: number;
};

/** Longer than this is a release that never ends. */
const looksMax = 3_000;
/** Plays one release in a world in which everything breaks that the seed says. */
export function playRollout(seed: number): Outcome {
  const game = setUp(seed);
  for (let looks = 1; looks <= looksMax; looks++) {
    pass(game.world, 200 + Math.floor(game.random() * 800));
    const release = game.head.release;
    if (release === undefined) break;
    if (isOver(release.state.phase))
      return { seed, looks, end: endOf(game, release), broken: [...game.broken, ...game.world.broken] };
    oneLook(game, release);
  }
  return {
    seed,
    looks: looksMax,
    end: 'none',
    broken: [...game.broken, `does not end: ${game.head.release?.state.phase.kind}`],
  };
}

function setUp(seed: number): Game {
  const random = seeded(seed);
  const world = makeWorld(random, [20, 100, 400][Math.floor(random() * 3)] ?? 100);
  const live = revisionNamed('v1');
  const next = revisionNamed('v2');
  const candidate = someBehaviour(random);
  world.behaviours.set(next.id, candidate);
  world.weights = weightsFor('blue', percent(100));
  for (const pool of [world.lanes.blue.proxies, world.lanes.blue.workers]) pool.wanted = 2;
  world.lanes.blue.revision = live.id;
  world.autoscaled = [undefined, 2, 5][Math.floor(random() * 3)];
  const head: Head = {
    ...emptyHead('simulated'),
    live: 'blue',
    lanes: { blue: live, green: undefined },
    revisions: [live],
  };
  const test = { strategy: 'ab', steps: [], pins: [testMarker], deadlineMs: 100_000 } as const;
  const written = random() < 0.25 ? { ...spec, ...test } : spec;
  world.adopt = (['bind', 'bind', 'bind', 'redeploy', 'answer'] as const)[Math.floor(random() * 5)] ?? 'bind';
  world.followsSources = random() < 0.7; // Nobody checks what is written in headgate.yaml.
  const around: Around = { raisedWeight: random() < 0.5 ? 'hold' : 'overwrite', adopt: world.adopt };
  const begun = begin(head, orderOf(next), written, around, instant(world.now));
  if (begun.kind !== 'begun' || begun.head.release === undefined) throw new RangeError(`seed ${seed} does not begin`);
  return {
    world,
    random,
    candidate,
    head: begun.head,
    driver: newDriver(begun.head.release, [], world),
    late: undefined,
    askedByPerson: false,
    others: undefined,
    broken: [],
    records: [],
  };
}

function someBehaviour(random: () => number): Behaviour {
  const fromMs = Math.floor(random() * 40_000);
  const kinds: readonly Behaviour[] = [
    good,
    good,
    { failRatio: 1, kind: 'answers', fromMs },
    { failRatio: 0.1, kind: 'answers', fromMs },
    { failRatio: 1, kind: 'ignoresSigterm', fromMs },
    { failRatio: 0, kind: 'crashes', fromMs },
    { failRatio: 0, kind: 'neverReady', fromMs: 0 },
    { failRatio: 0, kind: 'neverAcks', fromMs },
  ];
  return kinds[Math.floor(random() * kinds.length)] ?? good;
}

function oneLook(game: Game, release: Release): void {
  const { world, random, driver } = game;
  if (game.late !== undefined && random() < 0.5) {
    obey(world, game.late, release.revision.id, undefined); // Nobody holds the lock for this one any more.
    game.late = undefined;
  }
  meddle(game, release);
  const blindMs = count(game, release);
  const wishes = someWish(game);
  const blind = {
    weights: world.writer === undefined && random() < 0.05,
    workload: random() < 0.05,
    queue: random() < 0.05,
  };
  const seen = look(world, driver.memory, evidenceOf(driver.evidence, blindMs), wishes, blind);
  const next = turn(game.head, release, seen);
  checkTurn(game, release, seen, next);
  if (random() < 0.01) {
    die(game, release); // Before the record.
    return;
  }
  game.head = next.head;
  game.records.push(...(next.changed ? next.head.decisions.slice(-1) : []));
  for (const command of next.decision.commands) {
    if (random() < 0.01) {
      die(game, release, command); // Between record and act, or between two acts.
      return;
    }
    if (random() < 0.05) continue; // Lost on the way.
    if (command.kind === 'setWeights') add(driver, { kind: 'share', share: command.weights[release.candidate] });
    obey(world, command, release.revision.id, next.decision.state.live);
  }
}

/** A driver dies; the next one knows what the journal has. Its last write may still arrive. */
function die(game: Game, release: Release, unsent?: Command): void {
  const kept = game.driver.entries.slice(0, Math.max(0, game.driver.entries.length - Math.floor(game.random() * 5)));
  if (unsent?.kind === 'setWeights' || unsent?.kind === 'setPins') game.late = unsent;
  game.driver = newDriver(release, kept, game.world);
  pass(game.world, Math.floor(game.random() * 4_000));
}

function someWish(game: Game): readonly WishSeen[] {
  if (game.random() > 0.008) return [];
  if (game.random() < 0.5) return [somePin(game)];
  const act =
    (['promote', 'step', 'rollback', 'hold', 'resume'] as const satisfies readonly Act[])[
      Math.floor(game.random() * 5)
    ] ?? 'resume';
  if (act !== 'hold' && act !== 'resume') game.askedByPerson = true;
  return [{ id: 'w', act, release: undefined, step: undefined, actor: 'somebody', reason: 'a wish' }];
}

function somePin({ random }: Game): WishSeen {
  const asked = { id: 'p', release: undefined, actor: 'somebody', reason: 'a pin' };
  const marker = random() < 0.3 ? testMarker : { header: 'X-Team', value: String(Math.floor(random() * 3)) };
  const to = ['live', 'candidate', 'v1000000', 'v2000000'][Math.floor(random() * 5)];
  return to === undefined ? { ...asked, act: 'unpin', marker } : { ...asked, act: 'pin', marker, to };
}
