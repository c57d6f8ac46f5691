import { setTimeout as sleep } from 'node:timers/promises';
import type { AppLock, Holding } from '../journal/journal.ts';
import { pollMs } from './hands.ts';

export type Unlocked =
  | { readonly kind: 'free' }
  | { readonly kind: 'taken'; readonly from: Holding }
  /** He lives; nothing was done. */
  | { readonly kind: 'renewing'; readonly holding: Holding };

/** Frees the lock of a driver that does not renew it any more, which takes as long as any other would wait for him. With `insist` of every driver, at once. */
export async function unlock(lock: AppLock, insist: boolean, signal: AbortSignal): Promise<Unlocked> {
  const seen = await lock.holding(signal);
  if (seen === undefined) return { kind: 'free' };
  while (!insist) {
    await sleep(pollMs, undefined, { signal });
    const holding = await lock.holding(signal);
    if (holding === undefined) break; // Released, or given up.
    if (holding.renewal !== seen.renewal) return { kind: 'renewing', holding };
  }
  return (await seen.end(signal)) ? { kind: 'taken', from: seen } : { kind: 'free' };
}
