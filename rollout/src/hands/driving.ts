import { setTimeout as sleep } from 'node:timers/promises';
import { journalGone } from '../engine/book.ts';
import { type Drive, type Driven, drive } from '../engine.ts';
import { type ErrorCode, isHeadgateError, isRefused } from '../errors.ts';
import type { Lease } from '../journal/journal.ts';
import { drivingWith, type Hands, headOf, pollMs } from './hands.ts';

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
    await using asked = begins === undefined ? await asBegun(hands) : withoutEnd(hands);
    return await drive({ ...drivingWith(asked, lease), ...begins });
  } catch (error) {
    if (!lease.lost.aborted || !hasBegun || hands.signal.aborted) throw error;
  }
  hands.say('the lock was lost; this command goes on when it is free');
  await using again = await takeAgain(hands);
  const driven = await driveOver(hands, again);
  if (driven.head.release === undefined) throw journalGone(`Cannot go on driving ${hands.spec.app}`);
  return driven;
}

/** What runs goes on with the servers and rules that it was begun with: whoever asks may have another headgate.yaml in hand. */
async function asBegun(hands: Hands): Promise<Hands & AsyncDisposable> {
  const { spec } = await headOf(hands);
  if (spec === undefined || JSON.stringify(spec) === JSON.stringify(hands.spec)) return withoutEnd(hands);
  const ports = await hands.open(spec);
  return { ...hands, spec, ports, [Symbol.asyncDispose]: () => ports[Symbol.asyncDispose]() };
}

/** Their ports are closed by whoever opened them. */
function withoutEnd(hands: Hands): Hands & AsyncDisposable {
  return { ...hands, [Symbol.asyncDispose]: async () => {} };
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
