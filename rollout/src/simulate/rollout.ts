import { countsOnly } from '../judge/sample.ts';
import { type Instant, instant, otherLane, percent, weightsFor } from '../lane.ts';
import { begin } from '../policy/begin.ts';
import {
  type EvidenceEntry,
  type EvidenceState,
  evidenceOf,
  foldEvidence,
  settingsFor,
  startEvidence,
} from '../policy/evidence.ts';
import type { Act, Look, WishSeen } from '../policy/look.ts';
import { isOver } from '../policy/phase.ts';
import { type Command, type DecisionRecord, emptyHead, type Head, type Release } from '../policy/release.ts';
import { replay, type Turn, turn } from '../policy/turn.ts';
import { aSpec, revisionNamed } from './named.ts';
import { seeded } from './random.ts';
import { freshMemory, look, type Memory } from './see.ts';
import { type Behaviour, good, makeWorld, obey, pass, type World } from './world.ts';

/** How one simulated release went. `broken` lists every promise that was not kept, in words. */
export type Outcome = {
  readonly seed: number;
  readonly end: string;
  readonly broken: readonly string[];
  readonly looks: number;
};

/** Longer than this is a release that never ends. */
const looksMax = 3_000;
const spec = {
  ...aSpec,
  bakeMs: 18_000,
  watchMs: 15_000,
  keepWarmMs: 30_000,
  deadlineMs: 400_000,
  atDeadline: 'rollback',
} as const;

/** The driver of the moment, and what it would forget if it died. */
type Driver = {
  memory: Memory;
  evidence: EvidenceState;
  entries: EvidenceEntry[];
  blindSince: number | undefined;
  lastCountAt: number;
};

type Game = {
  readonly world: World;
  readonly random: () => number;
  readonly candidate: Behaviour;
  head: Head;
  driver: Driver;
  /** A dead driver's write that is still under way. */
  late: Command | undefined;
  askedByPerson: boolean;
  readonly broken: string[];
  readonly records: DecisionRecord[];
};

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
  const head: Head = {
    ...emptyHead('simulated'),
    live: 'blue',
    lanes: { blue: live, green: undefined },
    revisions: [live],
  };
  const request = {
    revision: next,
    actor: 'seed',
    reason: '',
    ancestry: 'descends',
    insist: false,
    hotfix: false,
    probe: 'p',
  } as const;
  const begun = begin(head, request, spec, 'overwrite', instant(world.now));
  if (begun.kind !== 'begun' || begun.head.release === undefined) throw new RangeError(`seed ${seed} does not begin`);
  return {
    world,
    random,
    candidate,
    head: begun.head,
    driver: newDriver(begun.head.release, [], world),
    late: undefined,
    askedByPerson: false,
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

function newDriver(release: Release, entries: readonly EvidenceEntry[], world: World): Driver {
  const fresh = startEvidence(settingsFor(release.plan, spec, []));
  return {
    memory: freshMemory(),
    evidence: entries.reduce(foldEvidence, fresh),
    entries: [...entries],
    blindSince: undefined,
    lastCountAt: world.now,
  };
}

function oneLook(game: Game, release: Release): void {
  const { world, random, driver } = game;
  if (game.late !== undefined && random() < 0.5) {
    obey(world, game.late, release.revision.id, undefined); // Nobody holds the lock for this one any more.
    game.late = undefined;
  }
  const blindMs = count(game, release);
  const wishes = someWish(game);
  const blind = { weights: random() < 0.05, workload: random() < 0.05, queue: random() < 0.05 };
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
  if (unsent?.kind === 'setWeights') game.late = unsent;
  game.driver = newDriver(release, kept, game.world);
  pass(game.world, Math.floor(game.random() * 4_000));
}

/** Reads the counts, unless the world is blind just now. @returns for how long nothing could be read, in ms */
function count(game: Game, release: Release): number {
  const { world, driver, random } = game;
  if (driver.blindSince === undefined ? random() < 0.005 : random() < 0.8) {
    driver.blindSince ??= world.now;
    return world.now - driver.blindSince;
  }
  driver.blindSince = undefined;
  const { candidate } = release;
  const lane = otherLane(candidate);
  const read = (tally: World['counts']['blue']) => ({
    requests: tally.requests,
    failed: Math.min(tally.requests, tally.failed),
    refused: 0,
  });
  const [live, own] = [read(world.counts[lane]), read(world.counts[candidate])];
  for (const tally of Object.values(world.counts)) Object.assign(tally, { requests: 0, failed: 0 });
  const seconds = (world.now - driver.lastCountAt) / 1_000;
  driver.lastCountAt = world.now;
  if (seconds > 0) feed(game, release, seconds, live, own);
  return 0;
}

function feed(
  game: Game,
  release: Release,
  seconds: number,
  live: Extract<EvidenceEntry, { kind: 'prime' }>['live'],
  candidate: typeof live,
): void {
  const { driver, world } = game;
  const { phase } = release.state;
  const at: Instant = instant(world.now);
  if (phase.kind === 'closing' || phase.kind === 'starting') {
    add(driver, { kind: 'prime', at, ...countsOnly, seconds, live });
    return;
  }
  if (phase.kind === 'watching' && driver.evidence.judge.kind === 'comparison') add(driver, { kind: 'watch' });
  if (phase.kind === 'rollingBack' || phase.kind === 'returning') return;
  const candidateShare = Math.min(world.weights[release.candidate], driver.evidence.judge.candidateShare);
  const oldest = (lane: 'blue' | 'green') =>
    world.now - (world.lanes[lane].stuck[0] ?? world.lanes[lane].waiting[0] ?? world.now);
  const queue = { liveOldestMs: oldest(otherLane(release.candidate)), candidateOldestMs: oldest(release.candidate) };
  add(driver, {
    kind: 'sample',
    at,
    lags: null,
    sample: { ...countsOnly, seconds, candidateShare, live, candidate, queue },
  });
}

function add(driver: Driver, entry: EvidenceEntry): void {
  driver.entries.push(entry);
  driver.evidence = foldEvidence(driver.evidence, entry);
}

function someWish(game: Game): readonly WishSeen[] {
  if (game.random() > 0.004) return [];
  const act =
    (['promote', 'step', 'rollback', 'hold', 'resume'] as const satisfies readonly Act[])[
      Math.floor(game.random() * 5)
    ] ?? 'resume';
  if (act !== 'hold' && act !== 'resume') game.askedByPerson = true;
  return [{ id: 'w', act, release: undefined, step: undefined, actor: 'somebody', reason: 'a wish' }];
}

/** Promises about one decision. */
function checkTurn(game: Game, release: Release, seen: Look, { decision }: Turn): void {
  const { phase } = decision.state;
  const before = release.state.phase;
  const asked = seen.wishes.length > 0;
  const moved = phase.kind !== before.kind;
  if (moved && phase.kind === 'holding' && game.world.weights[release.candidate] !== release.plan.steps[phase.step]) {
    game.broken.push('a weight was taken as set that is not');
  }
  if (moved && phase.kind === 'watching' && game.world.weights[release.candidate] !== 100)
    game.broken.push('promoted without 100 %');
  if (
    before.kind === 'holding' &&
    (phase.kind === 'promoting' || (phase.kind === 'settling' && phase.step > before.step)) &&
    !asked
  ) {
    if (seen.evidence.blindMs >= 2_000) game.broken.push('a step up while blind');
    if (seen.lanes[release.candidate].downMs > 0) game.broken.push('a step up for a lane that is down');
  }
  const bad =
    !asked &&
    before.kind === 'holding' &&
    seen.evidence.verdict === 'rollback' &&
    seen.lanes[otherLane(release.candidate)].downMs === 0;
  if (
    bad &&
    !decision.commands.some((command) => command.kind === 'setWeights' && command.weights[release.candidate] === 0)
  ) {
    game.broken.push('a rollback that waits');
  }
}

/** Promises about the end. */
function endOf(game: Game, release: Release): string {
  const { world, broken } = game;
  const { phase } = release.state;
  const { candidate } = release;
  if (phase.kind === 'promoted' && world.weights[candidate] !== 100)
    broken.push(`promoted, but ${world.weights[candidate]} % is served`);
  if (phase.kind === 'promoted' && game.candidate.failRatio === 1 && game.candidate.fromMs === 0 && !game.askedByPerson)
    broken.push('a dead version was promoted');
  if (phase.kind === 'rolledBack') checkRolledBack(game, release, phase.backlog);
  const waiting = Object.values(world.lanes).reduce((n, { waiting, stuck }) => n + waiting.length + stuck.length, 0);
  if (world.expired > 0) broken.push(`${world.expired} messages were lost`);
  if (world.accepted !== world.answered + world.expired + waiting) broken.push('messages do not add up');
  for (const record of game.records) checkReplay(game, record, release);
  return phase.kind;
}

function checkRolledBack(game: Game, release: Release, backlog: number): void {
  const { world, broken } = game;
  const { candidate } = release;
  const lane = world.lanes[candidate];
  if (world.weights[candidate] !== 0) broken.push(`rolled back, but the candidate has ${world.weights[candidate]} %`);
  if (lane.waiting.length + lane.stuck.length > 0 && backlog === 0) broken.push('rolled back with messages left');
  if (world.lanes[otherLane(candidate)].sources.length !== 1) broken.push('live still pulls from the other lane');
  const request = {
    revision: release.revision,
    actor: '',
    reason: '',
    ancestry: 'descends',
    insist: false,
    hotfix: false,
    probe: 'p',
  } as const;
  const again = begin(game.head, request, spec, 'overwrite', instant(world.now));
  if (again.kind !== 'refused') broken.push('a revision that was rolled back came back by itself');
}

function checkReplay({ broken }: Game, record: DecisionRecord, release: Release): void {
  const read = JSON.parse(JSON.stringify(record)) as DecisionRecord; // As the journal gives it back.
  const again = replay(read, release);
  if (
    JSON.stringify(again.state) !== JSON.stringify(read.after) ||
    JSON.stringify(again.commands) !== JSON.stringify(read.commands)
  ) {
    broken.push('a decision cannot be replayed from the journal');
  }
}
