import type { Instant } from '../lane.ts';
import type { LaneLook, Look } from './look.ts';
import type { HoldReason, Phase, Reason } from './phase.ts';

/** Where a phase goes, or why it stays. */
export type Next = { readonly phase: Phase; readonly why: string; readonly hold: HoldReason | undefined };

export function stay(phase: Phase, hold: HoldReason, why: string): Next {
  return { phase, hold, why };
}

export function go(phase: Phase, why: string): Next {
  return { phase, why, hold: undefined };
}

export function elapsedMs(since: Instant, look: Look): number {
  return look.now - since;
}

/** Both a ready proxy and a live worker, as far as anybody can see. Rolling back needs no more than this of live. */
export function stands(lane: LaneLook): boolean {
  return lane.downMs === 0;
}

export function beginBack(reason: Reason, look: Look): Phase {
  return { kind: 'rollingBack', stage: 'closing', reason, since: look.now, fencedAt: undefined };
}
