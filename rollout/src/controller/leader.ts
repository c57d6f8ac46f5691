import { setTimeout as sleep } from 'node:timers/promises';
import type { AppLock } from '../journal/journal.ts';

const askEveryMs = 5_000;

/**
 * Runs `lead` while this process holds `lock`, again and again until `signal` aborts. Its signal aborts when the lock is lost. The apps'
 * own locks keep two drivers apart; this one keeps a second replica from watching and asking for nothing.
 */
export async function whileLeading(
  lock: AppLock,
  holder: string,
  lead: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // An API server that is away is no reason to end: whoever leads then goes on for as long as its lease lasts.
    const acquired = await lock.acquire(holder, signal).catch(() => undefined);
    if (acquired?.kind === 'held') {
      await using lease = acquired.lease;
      await lead(AbortSignal.any([signal, lease.lost]));
    } else await sleep(askEveryMs, undefined, { signal }).catch(() => {}); // The loop's condition ends it.
  }
}
