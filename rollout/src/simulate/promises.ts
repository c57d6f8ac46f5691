import { instant, type Lane, otherLane } from '../lane.ts';
import { begin } from '../policy/begin.ts';
import type { Look } from '../policy/look.ts';
import type { Phase } from '../policy/phase.ts';
import type { Command, DecisionRecord, LaneRole, Release } from '../policy/release.ts';
import { replay, type Turn } from '../policy/turn.ts';
import { type Game, spec } from './game.ts';
import { orderOf } from './named.ts';
import { checkOthers } from './others.ts';
import type { World } from './world.ts';

/** Promises about one decision. */
export function checkTurn(game: Game, release: Release, seen: Look, { decision }: Turn): void {
  const { phase } = decision.state;
  const before = release.state.phase;
  const asked = seen.wishes.length > 0;
  const moved = phase.kind !== before.kind;
  if (moved && phase.kind === 'holding' && game.world.weights[release.candidate] !== release.plan.steps[phase.step]) {
    game.broken.push('a weight was taken as set that is not');
  }
  if (moved && phase.kind === 'watching' && game.world.weights[release.candidate] !== 100)
    game.broken.push('promoted without 100 %');
  if (release.plan.strategy === 'ab' && phase.kind === 'holding' && reached(game.world, release) > 0)
    game.broken.push('somebody who is not pinned reaches the B of an A/B test');
  checkOthers(game, release, decision, seen);
  if (!asked) checkStepUp(game, release, seen, phase);
  const bad =
    !asked &&
    before.kind === 'holding' &&
    seen.evidence.verdict === 'rollback' &&
    seen.lanes[otherLane(release.candidate)].downMs === 0;
  const goes =
    decision.commands.some((command) => closes(command, release)) ||
    (phase.kind === 'rollingBack' && isClosed(game.world, release));
  if (bad && !goes) game.broken.push('a rollback that waits');
}

/** Percent that the candidate has, unless another hand than the driver's gave it that. */
function reached({ weights, writer }: World, { candidate }: Release): number {
  return writer === undefined ? weights[candidate] : 0;
}

/** As a test that is switched off is already: there is nothing to close. */
function isClosed({ weights, pins }: World, { candidate }: Release): boolean {
  return weights[candidate] === 0 && pins.every(({ lane }) => lane !== candidate);
}

/** Nobody reaches the candidate any more: by weight, or in a test by a pin. */
function closes(command: Command, { candidate, plan }: Release): boolean {
  if (command.kind === 'setPins' && plan.strategy === 'ab') return command.pins.every(({ lane }) => lane !== candidate);
  return command.kind === 'setWeights' && command.weights[candidate] === 0;
}

function checkStepUp({ world, broken }: Game, release: Release, seen: Look, phase: Phase): void {
  const before = release.state.phase;
  if (before.kind !== 'holding') return;
  if (phase.kind !== 'promoting' && !(phase.kind === 'settling' && phase.step > before.step)) return;
  const { candidate, plan } = release;
  if (seen.evidence.blindMs >= 2_000) broken.push('a step up while blind');
  if (seen.lanes[candidate].downMs > 0) broken.push('a step up for a lane that is down');
  const weight = phase.kind === 'promoting' ? 100 : (plan.steps[phase.step] ?? 100);
  if (isTooSmall(world, candidate, weight)) broken.push('a step up for a lane that is too small');
}

/** The candidate has fewer instances than its next share of what live has. */
function isTooSmall({ lanes }: World, candidate: Lane, weight: number): boolean {
  const [own, live] = [lanes[candidate], lanes[otherLane(candidate)]];
  return (['proxies', 'workers'] as const).some((kind) => own[kind].wanted < (live[kind].wanted * weight) / 100);
}

/** Promises about the end. */
export function endOf(game: Game, release: Release): string {
  const { world, broken } = game;
  const { phase } = release.state;
  const { candidate } = release;
  if (phase.kind === 'promoted' && world.writer === undefined && world.weights[candidate] !== 100)
    broken.push(`promoted, but ${world.weights[candidate]} % is served`);
  if (phase.kind === 'promoted' && game.candidate.failRatio === 1 && game.candidate.fromMs === 0 && !game.askedByPerson)
    broken.push('a dead version was promoted');
  if (phase.kind === 'promoted' && release.plan.strategy === 'ab' && !game.askedByPerson)
    broken.push('an A/B test was promoted by itself');
  const { live } = release.state;
  const isAdopting = phase.kind === 'rolledBack' && phase.backlog > 0;
  if (live !== undefined && world.lanes[live].held > 0 && world.autoscaled !== undefined && !isAdopting)
    broken.push("live's autoscaler did not get its own bounds back");
  checkShown(game, live, isAdopting ? 'adopting' : 'live');
  if (phase.kind === 'rolledBack') checkRolledBack(game, release, phase.backlog);
  const waiting = Object.values(world.lanes).reduce((n, { waiting, stuck }) => n + waiting.length + stuck.length, 0);
  if (world.expired > 0) broken.push(`${world.expired} messages were lost`);
  if (world.accepted !== world.answered + world.deadLetters + world.expired + waiting)
    broken.push('messages do not add up');
  for (const record of game.records) checkReplay(game, record, release);
  return phase.kind;
}

function checkShown({ world, broken }: Game, live: Lane | undefined, wanted: LaneRole): void {
  const role = live === undefined ? wanted : world.lanes[live].labels.role;
  if (role !== wanted) broken.push(`people are shown that the live lane is ${role}`);
}

function checkRolledBack(game: Game, release: Release, backlog: number): void {
  const { world, broken } = game;
  const { candidate } = release;
  const lane = world.lanes[candidate];
  if (reached(world, release) > 0) broken.push(`rolled back, but the candidate has ${world.weights[candidate]} %`);
  if (world.pins.some((pin) => pin.lane === candidate)) broken.push('rolled back, but a pin leads to the candidate');
  if (lane.waiting.length + lane.stuck.length > 0 && backlog === 0) broken.push('rolled back with messages left');
  // With a backlog it goes on until the next release: another hand may have kept the lane open until the time for that was over.
  if (backlog === 0 && world.lanes[otherLane(candidate)].sources.length !== 1)
    broken.push('live still pulls from the other lane');
  const again = begin(
    game.head,
    orderOf(release.revision),
    spec,
    { raisedWeight: release.plan.raisedWeight, adopt: world.adopt },
    instant(world.now),
  );
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
