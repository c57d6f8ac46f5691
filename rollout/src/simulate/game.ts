import { countsOnly } from '../judge/sample.ts';
import { type Instant, instant, otherLane } from '../lane.ts';
import { type EvidenceEntry, type EvidenceState, foldEvidence, startEvidence } from '../policy/evidence.ts';
import type { Command, DecisionRecord, Head, Release } from '../policy/release.ts';
import { settingsFor } from '../policy/settings.ts';
import { aSpec } from './named.ts';
import type { OtherHand } from './others.ts';
import { freshMemory, type Memory } from './see.ts';
import type { Behaviour, World } from './world.ts';

export const spec = {
  ...aSpec,
  bakeMs: 18_000,
  watchMs: 15_000,
  keepWarmMs: 30_000,
  deadlineMs: 400_000,
  atDeadline: 'rollback',
} as const;

/** The driver of the moment, and what it would forget if it died. */
export type Driver = {
  memory: Memory;
  evidence: EvidenceState;
  entries: EvidenceEntry[];
  blindSince: number | undefined;
  lastCountAt: number;
};

export type Game = {
  readonly world: World;
  readonly random: () => number;
  readonly candidate: Behaviour;
  head: Head;
  driver: Driver;
  /** A dead driver's write that is still under way. */
  late: Command | undefined;
  askedByPerson: boolean;
  others: OtherHand | undefined;
  readonly broken: string[];
  readonly records: DecisionRecord[];
};

/** What a driver knows that begins with these entries of the journal. */
export function newDriver(release: Release, entries: readonly EvidenceEntry[], world: World): Driver {
  const fresh = startEvidence(settingsFor(release.plan, spec, []));
  return {
    memory: freshMemory(),
    evidence: entries.reduce(foldEvidence, fresh),
    entries: [...entries],
    blindSince: undefined,
    lastCountAt: world.now,
  };
}

/** Reads the counts, unless the world is blind just now. @returns for how long nothing could be read, in ms */
export function count(game: Game, release: Release): number {
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

export function add(driver: Driver, entry: EvidenceEntry): void {
  driver.entries.push(entry);
  driver.evidence = foldEvidence(driver.evidence, entry);
}
