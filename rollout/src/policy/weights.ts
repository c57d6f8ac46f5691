import type { Lane, Weights } from '../lane.ts';
import { closedWeights, percent, sameWeights, weightsFor } from '../lane.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import { isPinned } from './pins.ts';
import type { Release } from './release.ts';

/** The weights that a phase stands for. Roles become lanes here and nowhere else. */
export function weightsAt(release: Release, phase: Phase): Weights {
  switch (phase.kind) {
    case 'settling':
    case 'holding':
      return weightsFor(release.candidate, percent(release.plan.steps[phase.step] ?? 0));
    case 'promoting':
    case 'watching':
    case 'promoted':
    case 'retiring':
    case 'retired':
      return weightsFor(release.candidate, percent(100));
    case 'closing':
    case 'starting':
    case 'comparing':
    case 'returning':
    case 'rollingBack':
    case 'interrupted':
    case 'rolledBack':
      return release.former === undefined ? closedWeights : weightsFor(release.former, percent(100));
  }
}

/** Every replica of the data plane does what the phase stands for. */
export function confirmed(release: Release, phase: Phase, look: Look): boolean {
  return (
    look.writer === undefined && look.weights !== undefined && sameWeights(look.weights, weightsAt(release, phase))
  );
}

/** The router is seen to send no request there, neither by weight nor by a pin. */
export function isClosed(lane: Lane, look: Look): boolean {
  return look.weights !== undefined && look.weights[lane] === 0 && !isPinned(lane, look);
}

/** The router is seen to send requests there. What cannot be seen is neither open nor closed. */
export function isOpen(lane: Lane, look: Look): boolean {
  return look.weights !== undefined && !isClosed(lane, look);
}
