import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf } from '../deadline.ts';
import { type Book, openBook } from '../engine/book.ts';
import { drive } from '../engine.ts';
import { HeadgateError } from '../errors.ts';
import type { Lease } from '../journal/journal.ts';
import type { Lane } from '../lane.ts';
import { refuseRenamed, refuseStale } from '../policy/begin.ts';
import { type BegunRoll, beginRoll, endRoll, type RollEnd, type RollRequest } from '../policy/roll.ts';
import type { Revision } from '../revision.ts';
import type { Workload } from '../workload/workload.ts';
import { drivingWith, type Handled, type Hands, headOf, pollMs, systemNow } from './hands.ts';
import { lackOfMigration, sayMigration } from './migrate.ts';
import { settled } from './settled.ts';

/** What the live lane shall hold. Writes carry `fence`: a driver that was replaced changes nothing. */
export type Rolled = { readonly lane: Lane; readonly revision: Revision; readonly fence: number };

/** Changes the instances of the lane, waits for them, and goes back by itself if they do not come up; answers whether they did. */
export type ApplyRoll = (rolled: Rolled, signal: AbortSignal) => Promise<boolean>;

const settleMaxMs = 120_000;
/** A driver that was killed has lost the lock by then. */
const lossMaxMs = 10_000;

/**
 * Rolls a revision into the live lane under the app's lock, by the hand of `apply`, after its migration. From and to are in the journal
 * before anything is changed; what it says afterwards is what was seen, whatever `apply` answers.
 * @throws {HeadgateError} `LOCK_HELD`; `STEP_FAILED` if live itself could not be repaired; `ROLLBACK_FAILED` if live does not have, or does not serve, what it had
 */
export async function roll(hands: Hands, request: RollRequest, apply: ApplyRoll): Promise<Handled> {
  return locked(hands, (lease) => rollWith(lease, hands, request, apply));
}

async function rollWith(lease: Lease, hands: Hands, request: RollRequest, apply: ApplyRoll): Promise<Handled> {
  const { ports, spec, signal } = hands;
  await retire(hands, lease);
  const book = await openBook(ports.journal, spec.app, lease);
  ports.setFence(book.head.fence);
  const begun = refuseRenamed(book.head, spec) ?? beginRoll(book.head, request, systemNow());
  if (begun.kind === 'refused') return begun;
  await book.write(begun.head, lease.lost);
  const { lane, before } = begun;
  const { revision } = request;
  const failed = { lease, book, begun };
  // What live has already needs none; all else may need the tables before its first instance starts.
  if (before.id !== revision.id) {
    const on = { lane, revision, release: begun.head.rolling?.id ?? 0 };
    const lack = await lackOfMigration(hands, { on, lost: lease.lost });
    if (lack !== undefined) return goBack(hands, { ...failed, why: lack });
  }
  const isApplied = await apply({ lane, revision, fence: book.head.fence }, firstOf([signal, lease.lost]));
  lease.lost.throwIfAborted();
  const seeing = { workload: ports.workload, lane, revision: revision.id, timeoutMs: settleMaxMs };
  const lack = isApplied ? await settled(seeing, lease.lost) : 'its instances did not come up, or could not be set';
  if (before.id === revision.id) return repaired(book, lease, lack);
  if (lack !== undefined) return goBack(hands, { ...failed, why: signal.aborted ? 'interrupted' : lack });
  // Nothing changes for the pods; what only the former revision had goes.
  await ports.workload.setRevision(lane, revision, lease.lost);
  return close(book, lease, { outcome: 'promoted', text: 'every instance of the live lane has it', isBad: false });
}

/** Has `apply` say what `roll` would change. Neither lock nor journal is touched. @throws {HeadgateError} `STEP_FAILED` */
export async function previewRoll(hands: Hands, request: RollRequest, apply: ApplyRoll): Promise<Handled> {
  const head = await headOf(hands);
  const begun = refuseRenamed(head, hands.spec) ?? beginRoll(head, request, systemNow());
  if (begun.kind === 'refused') return begun;
  const { revision } = request;
  const { lane, before } = begun;
  if (before.id !== revision.id) await sayMigration(hands, { lane, revision, release: head.nextRelease });
  if (await apply({ lane, revision, fence: head.fence + 1 }, hands.signal))
    return { kind: 'nothing', text: 'nothing was changed' };
  throw new HeadgateError('STEP_FAILED', `Cannot tell what ${revision.id.slice(0, 8)} would change`, {
    hint: 'the words above say why',
  });
}

/** Ends a rolling update whose driver is gone: live gets back what it had. */
export async function unroll(
  hands: Hands,
  { release, reason }: { release: number | undefined; reason: string },
): Promise<Handled> {
  return locked(hands, async (lease) => {
    const book = await openBook(hands.ports.journal, hands.spec.app, lease);
    hands.ports.setFence(book.head.fence);
    const stale = refuseStale(book.head, release);
    if (stale !== undefined) return stale;
    const { live } = book.head;
    const before = live && book.head.lanes[live];
    if (live === undefined || before === undefined) return { kind: 'nothing', text: 'nothing is live' };
    return goBack(hands, { lease, book, begun: { lane: live, before }, why: reason });
  });
}

/** A lock that could not be renewed in time ends it where it is: the next command goes on. */
async function locked(hands: Hands, act: (lease: Lease) => Promise<Handled>): Promise<Handled> {
  await using lease = await lockOf(hands);
  try {
    return await act(lease);
  } catch (cause) {
    if (!lease.lost.aborted) throw cause;
    throw new HeadgateError('LOCK_HELD', `Cannot go on with the live lane of ${hands.spec.app} as its lock was lost`, {
      hint: 'run `headgate status`; `headgate roll` goes on, `headgate rollback` goes back',
      cause,
    });
  }
}

async function lockOf(hands: Hands): Promise<Lease> {
  const { ports, spec, actor, signal } = hands;
  const isLeft = (await headOf(hands)).rolling !== undefined;
  const begun = performance.now();
  let acquired = await ports.lock.acquire(actor, signal);
  while (acquired.kind === 'busy' && isLeft && performance.now() - begun < lossMaxMs) {
    await sleep(pollMs, undefined, { signal });
    acquired = await ports.lock.acquire(actor, signal);
  }
  if (acquired.kind === 'held') return acquired.lease;
  throw new HeadgateError('LOCK_HELD', `Cannot change the live lane of ${spec.app} as ${acquired.holder} drives`, {
    hint: 'run `headgate status`, and this again when that has ended',
  });
}

/** A warm lane that is due goes to zero first, so that one lane alone is there. */
async function retire(hands: Hands, lease: Lease): Promise<void> {
  const phase = (await headOf(hands)).release?.state.phase;
  if (phase?.kind === 'promoted' && systemNow() >= phase.warmUntil) await drive(drivingWith(hands, lease));
}

/** Live got its own revision once more: the end of an update that was interrupted, or of nothing. */
async function repaired(book: Book, lease: Lease, lack: string | undefined): Promise<Handled> {
  if (lack === undefined) {
    await close(book, lease, { outcome: 'rolledBack', text: 'live was given its own revision again', isBad: false });
    return { kind: 'nothing', text: 'the live lane has this revision' };
  }
  throw new HeadgateError('STEP_FAILED', `Cannot bring the live lane to its own revision: ${lack}`, {
    hint: 'its words are above; `headgate status` says what was live before',
  });
}

type Failed = {
  readonly lease: Lease;
  readonly book: Book;
  readonly begun: Pick<Extract<BegunRoll, { kind: 'begun' }>, 'lane' | 'before'>;
  readonly why: string;
};

/** Whoever applied may have gone back already, or have died in between. */
async function goBack(hands: Hands, failed: Failed): Promise<Handled> {
  const { lease, book, begun, why } = failed;
  const isTold = hands.signal.aborted; // There is no time to wait: the pods of the former revision come back by themselves.
  try {
    await bringBack(hands.ports.workload, failed, isTold);
  } catch (cause) {
    if (lease.lost.aborted) throw cause;
    const name = begun.before.id.slice(0, 8);
    const lack = cause instanceof Error ? cause.message : String(cause);
    // Whatever it is: live holds some of what did not come up, and somebody must know.
    throw new HeadgateError('ROLLBACK_FAILED', `Cannot bring the live lane back to ${name}: ${lack}`, {
      hint: 'page somebody; `headgate rollback` tries it again',
      cause,
    });
  }
  const ended = await close(book, lease, { outcome: 'rolledBack', text: why, isBad: !isTold });
  return isTold ? { kind: 'interrupted', head: book.head, text: 'live gets back what it had' } : ended;
}

async function bringBack(workload: Workload, { lease, begun }: Failed, isTold: boolean): Promise<void> {
  const { lane, before } = begun;
  if ((await workload.observe(lane, lease.lost)).revision !== before.id)
    await workload.setRevision(lane, before, lease.lost);
  if (isTold) return;
  const lack = await settled({ workload, lane, revision: before.id, timeoutMs: settleMaxMs }, lease.lost);
  if (lack !== undefined) throw new Error(lack);
}

async function close(book: Book, lease: Lease, end: RollEnd): Promise<Handled> {
  const release = book.head.rolling?.id ?? 0;
  await book.write(endRoll(book.head, end, systemNow()), lease.lost);
  return { kind: 'ended', head: book.head, release };
}
