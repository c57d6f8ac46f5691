import type { QueueLook } from './look.ts';

/** A message that no worker can handle is dead only after all its deliveries: 5 x 10 s as bootstrap makes consumers. */
const leastMs = 60_000;
/** The next release waits for this one to end; what is left then is told, and stays live's to work off. */
const mostMs = 600_000;

/** How long the candidate's backlog may take until the release ends with what is left: twice what live's pace promises. */
export function drainMaxMs(backlog: number, live: Pick<QueueLook, 'donePerSec' | 'ackWaitMs'> | undefined): number {
  if (live?.donePerSec === undefined) return leastMs;
  const promisedMs = live.ackWaitMs + (1_000 * backlog) / live.donePerSec;
  return Math.round(Math.min(mostMs, Math.max(leastMs, 2 * promisedMs)));
}
