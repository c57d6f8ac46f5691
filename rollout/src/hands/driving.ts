import { setTimeout as sleep } from 'node:timers/promises';
import { journalGone } from '../engine/book.ts';
import { type Drive, type Driven, drive } from '../engine.ts';
import { type ErrorCode, isHeadgateError, isRefused } from '../errors.ts';
import type { Lease } from '../journal/journal.ts';
import { drivingWith, type Hands, pollMs } from './hands.ts';

/** What took the lock away may still be there when it is asked for again. */
const stillAway: ReadonlySet<ErrorCode> = new Set(['JOURNAL_UNREADABLE', 'JOURNAL_UNWRITABLE', 'CLUSTER_UNREACHABLE']);

/**
 * Drives, over the loss of its lock too, as to an API server that was away for longer than a lock lives: a candidate with weight must not
 * be left alone. The lock is taken again when it is free; whoever had it meanwhile has driven on.
 *
 * @throws {HeadgateError} `JOURNAL_UNREADABLE` or `JOURNAL_UNWRITABLE` when the lock went with the whole journal, as with a namespace
 */
export async function driveOver(hands: Hands, lease: Lease, begin?: NonNullable<Drive['begin']>): Promise<Driven> {
  let hasBegun = begin === undefined;
  const begins = begin && {
    begin: async (...book: Parameters<typeof begin>) => {
      const goes = await begin(...book);
      hasBegun = true;
      return goes;
    },
  };
  try {
    return await drive({ ...drivingWith(hands, lease), ...begins });
  } catch (error) {
    if (!lease.lost.aborted || !hasBegun || hands.signal.aborted) throw error;
  }
  hands.say('the lock was lost; this command goes on when it is free');
  await using again = await takeAgain(hands);
  const driven = await driveOver(hands, again);
  if (driven.head.release === undefined) throw journalGone(`Cannot go on driving ${hands.spec.app}`);
  return driven;
}

async function takeAgain({ ports, actor, signal }: Hands): Promise<Lease> {
  for (;;) {
    try {
      const acquired = await ports.lock.acquire(actor, signal);
      if (acquired.kind === 'held') return acquired.lease;
    } catch (error) {
      if (!isHeadgateError(error) || !stillAway.has(error.code) || isRefused(error)) throw error;
    }
    await sleep(pollMs, undefined, { signal });
  }
}
