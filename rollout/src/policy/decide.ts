import { backNext } from './back.ts';
import { commandsOf } from './commands.ts';
import { forwardNext } from './forward.ts';
import type { Look } from './look.ts';
import type { Next } from './next.ts';
import type { Phase } from './phase.ts';
import { isForward, needsDriver } from './phase.ts';
import { pinsAfter } from './pins.ts';
import type { Decision, Release, ReleaseState } from './release.ts';
import { peakWith } from './sizes.ts';
import { afterNext } from './watch.ts';
import { answerWishes } from './wishes.ts';

/**
 * The whole rollout policy: no clock, no network, no await. Same inputs, same decision.
 * Persons are heard first, then the phase moves if the world allows it, then the commands say what shall be.
 */
export function decide(before: Release, look: Look): Decision {
  const release = grown(before, look);
  const asked = answerWishes(release, look);
  const moved = asked.state.phase !== release.state.phase;
  const onward = moved ? undefined : nextPhase({ ...release, state: asked.state }, look);
  // What somebody asked is told with their words, unless more than that happens.
  const next =
    onward === undefined || (asked.why !== '' && onward.phase === asked.state.phase)
      ? { phase: asked.state.phase, why: asked.why, hold: undefined }
      : onward;
  const state: ReleaseState = {
    ...asked.state,
    phase: next.phase,
    live: liveAfter(release, next.phase),
    pins: pinsAfter(asked.state, next.phase),
  };
  return {
    state,
    commands: commandsOf({ ...release, state }, look),
    why: next.why,
    hold: next.hold,
    answers: asked.answers,
  };
}

/** Live's size of this very look counts before anything is decided: a step must carry what live has now. */
function grown(release: Release, look: Look): Release {
  const { state } = release;
  return isForward(state.phase) ? { ...release, state: { ...state, peak: peakWith(release, look) } } : release;
}

/** What a driver that nobody takes over from does before it goes away by signal: no weight is left with a candidate that nobody watches. */
export function interrupt(release: Release, look: Look): Decision {
  const { phase } = release.state;
  const weighted = needsDriver(phase);
  const state: ReleaseState = weighted
    ? { ...release.state, phase: { kind: 'interrupted', since: look.now } }
    : release.state;
  return {
    state,
    commands: weighted ? commandsOf({ ...release, state }, { ...look, weights: undefined }) : [],
    why: 'the driver was stopped by a signal; the candidate is at 0 until the next command goes on',
    hold: undefined,
    answers: [],
  };
}

function nextPhase(release: Release, look: Look): Next {
  const { phase } = release.state;
  switch (phase.kind) {
    case 'closing':
    case 'starting':
    case 'comparing':
    case 'settling':
    case 'holding':
    case 'promoting':
    case 'interrupted':
      return forwardNext(release, phase, look);
    case 'returning':
    case 'rollingBack':
      return backNext(release, phase, look);
    case 'watching':
    case 'promoted':
    case 'retiring':
    case 'retired':
    case 'rolledBack':
      return afterNext(release, phase, look);
  }
}

/** Roles swap with the phase, in one record: at the confirmed 100 % forward, at the confirmed return backward. */
function liveAfter(release: Release, phase: Phase): ReleaseState['live'] {
  if (phase.kind === 'watching' || phase.kind === 'promoted') return release.candidate;
  if (phase.kind === 'rollingBack' || phase.kind === 'rolledBack') return release.former;
  return release.state.live;
}
