import type { Instant } from '../lane.ts';
import type { LaneLook, Look } from './look.ts';
import { writtenByOthers } from './others.ts';
import type { HoldReason, Phase, Reason } from './phase.ts';
import type { Release } from './release.ts';

/** Where a phase goes, or why it stays. */
export type Next = { readonly phase: Phase; readonly why: string; readonly hold: HoldReason | undefined };

export function stay(phase: Phase, hold: HoldReason, why: string): Next {
  return { phase, hold, why };
}

/** It waits for the router, or for somebody else to take back what they wrote there. */
export function unconfirmed(release: Release, phase: Phase, look: Look, what: string): Next {
  const { cannot, pending } = look;
  const others = writtenByOthers(release, phase, look);
  if (others !== undefined) return stay(phase, 'foreign-writer', `${what}: ${others}`);
  if (cannot !== undefined) return stay(phase, 'unconfirmed', `the router cannot do it: ${cannot}`);
  return stay(phase, 'unconfirmed', pending === undefined ? what : `${what}: ${pending}`);
}

export function go(phase: Phase, why: string): Next {
  return { phase, why, hold: undefined };
}

export function elapsedMs(since: Instant, look: Look): number {
  return look.now - since;
}

/** A driver that could not record its way back, and was gone before it could, has left this half of it. */
export function starved({ candidate, plan }: Release, look: Look): Reason | undefined {
  if (!plan.queue || look.lanes[candidate].queue?.sources.length !== 0) return undefined;
  return { kind: 'guard', text: "live has been given the new version's queue, while nothing could be recorded" };
}

/** It has no ready proxy or live worker left. */
export function unreadyFor(whose: string, { workload }: LaneLook): Reason {
  const failure = workload?.failure;
  const why = failure === undefined ? '' : ` (${failure})`;
  return { kind: 'unready', text: `${whose} lost its last ready proxy or live worker${why}` };
}

export function beginBack(reason: Reason, look: Look): Extract<Phase, { kind: 'rollingBack' }> {
  return {
    kind: 'rollingBack',
    stage: 'closing',
    reason,
    since: look.now,
    fencedAt: undefined,
    lentAt: undefined,
    drainMs: undefined,
  };
}
