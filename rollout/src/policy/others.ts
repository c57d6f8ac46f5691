import { sameWeights } from '../lane.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import { wantedPins } from './pins.ts';
import type { Release } from './release.ts';
import { weightsAt } from './weights.ts';

/** Three times at the pace of a way back over a router that confirms in a second or two. */
const foughtMaxMs = 5_000;

/**
 * What somebody else has written over the weights or pins of this phase, in words that name the hand; `undefined`: nothing, or it cannot be
 * seen. It is never fought: a phase says once what it wants, and only what closes the candidate lane is said again for some seconds.
 */
export function writtenByOthers(release: Release, phase: Phase, look: Look): string | undefined {
  const { weights, writer } = look;
  if (weights === undefined || release.plan.raisedWeight !== 'hold') return undefined;
  if (phase.kind !== 'holding' && look.now - phase.since <= (isClosing(phase) ? foughtMaxMs : 0)) return undefined;
  if (!sameWeights(weights, weightsAt(release, phase)) && (writer !== undefined || phase.kind === 'holding'))
    return `${writer ?? 'somebody else'} wrote the weights: blue ${weights.blue} %, green ${weights.green} %`;
  if (writer !== undefined && wantedPins(release, phase, look) !== look.pins)
    return `${writer} wrote the pins: ${look.pins.map((pin) => `${pin.header}: ${pin.value} to ${pin.lane}`).join(', ') || 'none'}`;
  return undefined;
}

/** The weights that a candidate without a driver, or one that fails, must lose. */
function isClosing({ kind }: Phase): boolean {
  return kind === 'closing' || kind === 'returning' || kind === 'rollingBack';
}
