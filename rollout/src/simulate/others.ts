/** Somebody else who writes the route, once or again and again, until somebody takes that back. */
import { percent, sameWeights, weightsFor } from '../lane.ts';
import type { Look } from '../policy/look.ts';
import { pinsAt } from '../policy/pins.ts';
import type { Release } from '../policy/release.ts';
import type { Turn } from '../policy/turn.ts';
import { weightsAt } from '../policy/weights.ts';
import type { Game } from './game.ts';

export type OtherHand = {
  readonly candidate: number;
  readonly everyMs: number;
  readonly until: number;
  nextAt: number;
};

const name = 'argocd';

export function meddle(game: Game, release: Release): void {
  const { world, random } = game;
  if (release.plan.raisedWeight !== 'hold') return;
  if (game.others === undefined && random() < 0.005) game.others = someHand(game);
  const { others } = game;
  if (others === undefined) return;
  if (world.now >= others.until) {
    if (world.writer !== undefined) takeBack(game, release);
    game.others = undefined;
  } else if (world.now >= others.nextAt) {
    others.nextAt = world.now + others.everyMs;
    world.weights = weightsFor(release.candidate, percent(others.candidate));
    world.pins = [];
    world.writer = name;
  }
}

function someHand({ world, random }: Game): OtherHand {
  return {
    candidate: [0, 5, 40, 100][Math.floor(random() * 4)] ?? 0,
    everyMs: random() < 0.5 ? 5_000 : Number.POSITIVE_INFINITY,
    until: world.now + 2_000 + Math.floor(random() * 40_000),
    nextAt: world.now,
  };
}

/** By a person who reads in `status` what the route should say. */
function takeBack({ world }: Game, release: Release): void {
  world.weights = weightsAt(release, release.state.phase);
  world.pins = pinsAt(release, release.state.phase);
}

/** Nothing is written against another hand once a phase has said what it wants, and whoever waits hears the name. */
export function checkOthers(
  { broken }: Game,
  release: Release,
  { state, ...decision }: Turn['decision'],
  seen: Look,
): void {
  const { writer, weights, now } = seen;
  const { phase } = state;
  if (writer === undefined || weights === undefined || phase.since === now) return;
  const closes = phase.kind === 'closing' || phase.kind === 'returning' || phase.kind === 'rollingBack';
  if (sameWeights(weights, weightsAt(release, phase)) || (closes && now - phase.since <= 5_000)) return;
  if (decision.commands.some(({ kind }) => kind === 'setWeights'))
    broken.push(`another hand was fought in ${phase.kind}`);
  // Whoever asked for something is told of that first.
  const isAnswer = seen.wishes.length + decision.answers.length > 0;
  const isHeard = isAnswer || decision.hold === 'both-lanes-down';
  // On its way back a release goes on for as long as it can.
  const isToldLater = phase.kind === 'rollingBack' && decision.hold !== undefined;
  if (!isHeard && !isToldLater && !decision.why.includes(writer))
    broken.push(`nobody hears who wrote in ${phase.kind}: ${decision.why}`);
}
