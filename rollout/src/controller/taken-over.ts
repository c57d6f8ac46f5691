import { setTimeout as sleep } from 'node:timers/promises';
import { readHead } from '../engine/book.ts';
import type { Lease, Records } from '../journal/journal.ts';
import { needsDriver } from '../policy/phase.ts';

/** A drive that was left with all its weights, and its lock free. */
export type Left = {
  readonly app: string;
  readonly records: Records;
  readonly holder: string;
  /** Whoever drives on has raised it. */
  readonly fence: number;
  /** Sets the candidate to 0, for want of anybody who drives on. */
  readonly close: (lease: Lease) => Promise<unknown>;
};

/** Another replica asks for the lock once a second. */
const takenOverMaxMs = 5_000;
/** Less than the pod's grace period. */
const overMaxMs = 20_000;
const lookEveryMs = 200;

/**
 * Waits until another driver goes on from the same step. That one is ready to do so says nothing: it may go in the same moment. If none
 * has the lock and the journal in time, the candidate is closed, as nobody would see it fail.
 */
export async function untilTakenOver({ app, records, holder, fence, close }: Left): Promise<void> {
  const signal = AbortSignal.timeout(overMaxMs);
  const lateAt = performance.now() + takenOverMaxMs;
  for (;;) {
    // What cannot be seen or taken now is asked for again.
    if (await isTakenOver({ app, records, fence }, signal).catch(() => false)) return;
    const isLate = performance.now() >= lateAt;
    const acquired = isLate ? await records.lock.acquire(holder, signal).catch(() => undefined) : undefined;
    if (acquired?.kind === 'held') {
      await using lease = acquired.lease;
      await close(lease);
      return;
    }
    await sleep(lookEveryMs, undefined, { signal });
  }
}

/** A raised fence alone is not enough: who raised it may have found that it has no business here, as a rolling update does. */
async function isTakenOver(
  { app, records, fence }: Pick<Left, 'app' | 'records' | 'fence'>,
  signal: AbortSignal,
): Promise<boolean> {
  const [head, holding] = await Promise.all([readHead(records.journal, app, signal), records.lock.holding(signal)]);
  const phase = head.release?.state.phase;
  return phase === undefined || !needsDriver(phase) || (head.fence > fence && holding !== undefined);
}
