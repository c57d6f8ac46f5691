import { setTimeout as sleep } from 'node:timers/promises';
import { openBook, readHead } from '../engine/book.ts';
import { both, type Emit } from '../engine/occurrence.ts';
import { hear, note } from '../engine/wishes.ts';
import { type Drive, type Driven, drive, type Pace } from '../engine.ts';
import type { Lease, Records } from '../journal/journal.ts';
import { type Instant, instant } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import { type Begun, beginOrder } from '../policy/begin.ts';
import { isOver } from '../policy/phase.ts';
import type { Head, Waiting, WishAnswer } from '../policy/release.ts';
import { idsOf, withAnswers } from '../policy/waiting.ts';
import type { Spec } from '../spec.ts';
import { type Left, untilTakenOver } from './taken-over.ts';

/** One app in a controller's care. */
export type Tended = {
  readonly app: string;
  readonly records: Records;
  /** Opens the ports that a spec names; only when there is something to drive. */
  readonly open: (spec: Spec) => Platform;
  /** Who holds the app's lock while it is driven. */
  readonly holder: string;
  readonly emit: Emit;
  /** Tells whoever the spec names, and the process besides, of what is decided. */
  readonly notify: (spec: Spec) => Emit;
  readonly pace?: Pace;
};

/** Aborts at the next piece of news of the app. */
export type News = () => AbortSignal;

/** When to look again without news; `undefined`: only on news. */
export type Tending = { readonly again: Instant | undefined };

/** How often the lock is asked for while somebody else has it: another replica, a rolling update, a person who waits for no controller. */
const askEveryMs = 1_000;
const readMaxMs = 5_000;
/** At most this many releases follow one another before the caller is asked again. */
const ordersMax = 20;

/**
 * Does what there is to do for one app: ends the release that runs, hears wishes, begins what was ordered, retires a warm lane that is
 * due. Takes the lock only for that: with it, and with nothing besides, one of several controllers becomes the one that drives.
 *
 * @throws {HeadgateError} what the ports throw; the caller tries again
 */
export async function tend(tended: Tended, news: News, signal: AbortSignal): Promise<Tending> {
  const { app, records, holder } = tended;
  const seen = await workOf(tended, signal);
  if (!seen.isThere) return { again: dueAt(seen.head) };
  const left = await work(tended, news, signal);
  if (left !== undefined) await untilTakenOver({ app, records, holder, ...left });
  return { again: dueAt(await readHead(records.journal, app, AbortSignal.timeout(readMaxMs))) };
}

/** With the lock. @returns what is left to another driver when this one is told to go */
async function work(
  tended: Tended,
  news: News,
  signal: AbortSignal,
): Promise<Pick<Left, 'fence' | 'close'> | undefined> {
  await using lease = await whenFree(tended, signal);
  if (!(await workOf(tended, signal)).isThere) return undefined; // Whoever had the lock has done it.
  for (let begun = 0; ; begun++) {
    const { spec } = await readHead(tended.records.journal, tended.app, lease.lost);
    const left = spec && (await driveOn(tended, spec, { lease, news, signal }));
    if (left !== undefined) return left;
    if (signal.aborted || begun >= ordersMax || !(await beginNext(tended, lease, signal))) return undefined;
  }
}

async function driveOn(
  tended: Tended,
  spec: Spec,
  how: Pick<Drive, 'lease' | 'news' | 'signal'>,
): Promise<Pick<Left, 'fence' | 'close'> | undefined> {
  const driven = await driveAs(tended, spec, { ...how, leaves: true });
  if (driven.kind !== 'left') return undefined;
  // Once more, told to go before it begins.
  return { fence: driven.head.fence, close: (lease) => driveAs(tended, spec, { lease, signal: how.signal }) };
}

/** With the servers, the rules and the ears that the release was begun with, whatever waits behind it. */
async function driveAs(
  tended: Tended,
  spec: Spec,
  how: Pick<Drive, 'lease' | 'news' | 'signal' | 'leaves'>,
): Promise<Driven> {
  const { app, emit, notify, pace } = tended;
  await using ports = tended.open(spec);
  const paced = pace === undefined ? {} : { pace };
  return await drive({ ...how, ...paced, app, ports, spec: spec.release, emit: both(emit, notify(spec)) });
}

async function whenFree({ records, holder }: Tended, signal: AbortSignal): Promise<Lease> {
  for (;;) {
    const acquired = await records.lock.acquire(holder, signal);
    if (acquired.kind === 'held') return acquired.lease;
    await sleep(askEveryMs, undefined, { signal });
  }
}

async function workOf({ app, records }: Tended, signal: AbortSignal) {
  const head = await readHead(records.journal, app, signal);
  const heard = await hear(records.wishes, signal);
  const { release, waiting } = head;
  const phase = release?.state.phase;
  const isDue = phase?.kind === 'promoted' && release?.former !== undefined && now() >= phase.warmUntil;
  const isRunning = phase !== undefined && (!isOver(phase) || isDue);
  return { head, heard, isThere: heard.ids.length > 0 || waiting !== undefined || isRunning };
}

/** A warm lane goes to zero then. */
function dueAt({ release }: Head): Instant | undefined {
  const phase = release?.state.phase;
  return phase?.kind === 'promoted' && release?.former !== undefined ? phase.warmUntil : undefined;
}

/** Answers the newest order, and begins it if it may; whether there was one. What nobody knows is answered besides. */
async function beginNext({ app, records }: Tended, lease: Lease, signal: AbortSignal): Promise<boolean> {
  const heard = await hear(records.wishes, signal);
  const noted = [...heard.waiting, ...heard.unknown].map(({ id }) => id);
  const { waiting: next, spec } = note(await readHead(records.journal, app, signal), heard);
  if (next !== undefined || noted.length > 0) {
    const book = await openBook(records.journal, app, lease);
    const head = note(book.head, heard);
    await book.write(next === undefined ? head : begin(head, next), lease.lost);
    await records.wishes.remove(noted, lease.lost); // Only what the journal has by now.
  } else if (spec === undefined) {
    await records.wishes.remove(heard.ids, signal); // Meant for a release that never was.
  }
  return next !== undefined;
}

function begin(head: Head, next: Waiting): Head {
  const taken = beginOrder(head, next.order, now());
  return answered(taken.kind === 'begun' ? taken.head : { ...head, waiting: undefined }, next, taken);
}

function answered(head: Head, order: Waiting, taken: Begun): Head {
  return withAnswers(
    head,
    idsOf(order).map((id) => answerOf(id, taken)),
  );
}

function answerOf(id: string, taken: Begun): WishAnswer {
  const { text } = taken;
  switch (taken.kind) {
    case 'begun':
      return { id, kind: 'begun', text, release: taken.head.nextRelease - 1 };
    case 'follow':
      return { id, kind: 'begun', text, release: taken.release };
    case 'refused':
      return { id, kind: taken.code === 'REFUSED' ? 'refused' : 'quarantined', text };
    case 'nothing':
      return { id, kind: 'nothing', text };
    case 'wait':
      return { id, kind: 'refused', text };
  }
}

function now(): Instant {
  return instant(Date.now());
}
