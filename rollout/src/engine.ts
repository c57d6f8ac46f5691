import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf, withDeadline } from './deadline.ts';
import { type Book, openBook } from './engine/book.ts';
import { type Acting, attempt, carryOut } from './engine/carry-out.ts';
import { type EvidenceBook, openEvidence } from './engine/evidence.ts';
import { type Holds, makeHolds } from './engine/holds.ts';
import { both, type Emit } from './engine/occurrence.ts';
import { isAsked, pause } from './engine/pause.ts';
import { makeSyntheticSender } from './engine/synthetic.ts';
import { claimQueue, keepVigil } from './engine/vigil.ts';
import { makeWatcher, type Sights } from './engine/watcher.ts';
import { type Heard, hear, note, unheard } from './engine/wishes.ts';
import { InvariantError } from './errors.ts';
import type { Lease } from './journal/journal.ts';
import { type Instant, instant } from './lane.ts';
import type { Platform } from './platform/platform.ts';
import { isBackFailed } from './policy/back.ts';
import { isForward, isOver } from './policy/phase.ts';
import { awaitsRouter } from './policy/pin-wishes.ts';
import { pinsAt } from './policy/pins.ts';
import type { Head, Release } from './policy/release.ts';
import { lastTurn, type Turn, turn } from './policy/turn.ts';
import { weightsAt } from './policy/weights.ts';
import type { ReleaseSpec } from './spec.ts';

export type Drive = {
  readonly ports: Platform;
  readonly app: string;
  readonly spec: ReleaseSpec;
  readonly lease: Lease;
  readonly emit: Emit;
  /** Aborts when this process is told to go: the candidate is set to 0 and the release can be continued. */
  readonly signal: AbortSignal;
  /** Told to go, it leaves the weights as they are instead: whoever calls sees to it that another driver goes on. */
  readonly leaves?: boolean;
  /** Called once with the book before the first look, to begin a release; answers whether there is something to drive. */
  readonly begin?: (book: Book) => Promise<boolean>;
  /** Aborts at the next piece of news, such as a wish: the next look comes at once. Without it the wish box is looked into while nothing else is done. */
  readonly news?: () => AbortSignal;
  /** A way back that another hand keeps open is left to a person, who hears of it when this process ends. */
  readonly givesUp?: boolean;
  readonly now?: () => Instant;
  readonly pace?: Pace;
};

/**
 * How a drive ended. `interrupted`: told to go, the candidate is at 0. `left`: told to go, all is as it was. `idle`: there was nothing to
 * drive. `stuck`: see `givesUp`.
 */
export type Driven =
  | { readonly kind: 'ended' | 'interrupted' | 'left' | 'idle'; readonly head: Head }
  | { readonly kind: 'stuck'; readonly head: Head; readonly why: string };

/** Between two looks, in ms: at rest, when the candidate has begun to fail or something answers late, and while something is under way. */
export type Pace = { readonly restMs: number; readonly alertMs: number; readonly transitMs: number };

/** Wishes are waited for no longer than this; beside a look no longer than the look takes, or than this. */
const hearMaxMs = { alone: 500, besideLook: 250 };

const leaveMaxMs = 2_000;

const usualPace: Pace = { restMs: 1_000, alertMs: 250, transitMs: 150 };

/**
 * The one loop: look, decide, record, act. The record comes first, so that the next driver resumes instead of guessing;
 * therefore every command is safe to repeat. Only weight 0 for the candidate may act before it is recorded.
 *
 * @throws {HeadgateError} `LOCK_HELD` when somebody else took the lock
 */
export async function drive(task: Drive): Promise<Driven> {
  const { ports, app, lease, begin } = task;
  const book = await openBook(ports.journal, app, lease);
  ports.setFence(book.head.fence);
  await claimQueue(ports, book.head, lease);
  if (begin !== undefined && !(await begin(book))) return { kind: 'idle', head: book.head };
  const emit = ports.herald === undefined ? task.emit : both(task.emit, ports.herald.emit);
  return driveWith(book, { ...task, emit });
}

async function driveWith(book: Book, task: Drive): Promise<Driven> {
  const { ports, spec, lease, signal, emit, now = systemNow, pace = usualPace } = task;
  const watcher = makeWatcher(ports, emit);
  const evidence = await openEvidence(ports, { spec, emit, lost: lease.lost }, book.head.release);
  const means = { watcher, evidence };
  try {
    return await rounds(book, task, means);
  } catch (error) {
    const { head } = book;
    const everyMs = pace.alertMs;
    if (lease.lost.aborted) await keepVigil({ ports, emit, head, lease, ...means, everyMs, now }, signal);
    throw error;
  }
}

type Means = Pick<Acting, 'watcher' | 'evidence'>;

async function rounds(book: Book, task: Drive, { watcher, evidence }: Means): Promise<Driven> {
  const { ports, lease, signal, leaves = false, emit, news, now = systemNow, pace = usualPace } = task;
  const synthetic = makeSyntheticSender(ports);
  const holds = makeHolds(emit);
  for (;;) {
    const fresh = news?.(); // Before wishes are heard: one that comes during the look leads to another look.
    const at = now();
    const release = book.head.release;
    const isOpen = release !== undefined && !isAtRest(release, at);
    if (isOpen && leaves && signal.aborted) return leave(release, book, evidence, lease);
    const sight = () => watcher.sight(at, isUndecided(release), lease.lost);
    // Both at once: a journal that hangs must not keep anybody from looking.
    const looking = isOpen ? sight() : undefined;
    const [heard, seen] = await Promise.all([heardOf(ports, emit, at, { looking, lost: lease.lost }), looking]);
    if (release === undefined || (!isOpen && heard.forRelease.length === 0)) return { kind: 'ended', head: book.head };
    const sights = seen ?? (await sight());
    const told = signal.aborted && !leaves;
    const acting = { ports, lease, emit, book, evidence, watcher, synthetic, at };
    const next = await oneTurn(acting, { release, heard, sights, told, holds }).catch((error: unknown) =>
      closeOnBug(error, acting, release),
    );
    const end = endAfter(task, told, next.turn, at);
    if (end !== undefined) return { ...end, head: book.head };
    const restMs = restOf(next, pace, now() - at);
    await pause(restMs, { fresh, signal }, (within) => isAsked(ports, book.head, within));
  }
}

async function leave(release: Release, book: Book, evidence: EvidenceBook, lease: Lease): Promise<Driven> {
  // The next driver's judge goes on from it. It can do without the last counts, as after a driver that was killed.
  await evidence.flush(release, withDeadline(lease.lost, leaveMaxMs)).catch(() => {});
  return { kind: 'left', head: book.head };
}

type Before = {
  readonly release: Release;
  readonly heard: Heard;
  readonly sights: Sights;
  readonly told: boolean;
  readonly holds: Holds;
};

/** `alert`: the candidate has begun to fail. `late`: something did not answer the look in time. */
type Turned = { readonly turn: Turn; readonly alert: boolean; readonly late: boolean };

async function oneTurn(acting: Acting, { release, heard, sights, told, holds }: Before): Promise<Turned> {
  const { ports, lease, emit, book, evidence, watcher, synthetic, at } = acting;
  const judged = await evidence.take(release, sights, at, lease.lost);
  const look = await watcher.look(
    release,
    sights,
    { now: at, evidence: judged.evidence, wishes: told ? [] : unheard(heard.forRelease, book.head) },
    lease.lost,
  );
  const next = told ? lastTurn(book.head, release, look) : turn(note(book.head, heard), release, look);
  evidence.note(next.decision, at);
  const isRecorded = await carryOut(
    next,
    {
      release,
      look,
      mustWrite: next.changed || heard.waiting.length + heard.unknown.length > 0,
      isBlind: sights.traffic === undefined,
    },
    acting,
  );
  // Only what the journal has by now. Without an answer they are heard again, and the journal knows that they were.
  if (isRecorded && !told && heard.ids.length > 0) await ports.wishes.remove(heard.ids, lease.lost);
  holds.note(release, next.decision, at);
  emit({ kind: 'looked', at, head: book.head, look, decision: next.decision });
  synthetic.send(release, look, lease.lost);
  return { turn: next, alert: judged.alert, late: sights.late };
}

/** Wishes of a journal that cannot be read are heard at a later look: the judge's word does not wait for anybody's. */
async function heardOf(
  { wishes }: Platform,
  emit: Emit,
  at: Instant,
  { looking, lost }: { readonly looking: Promise<unknown> | undefined; readonly lost: AbortSignal },
): Promise<Heard> {
  const late = new AbortController();
  void Promise.allSettled([looking, sleep(hearMaxMs.besideLook, undefined, { ref: false })]).then(() => late.abort());
  try {
    return await hear(
      wishes,
      looking === undefined ? withDeadline(lost, hearMaxMs.alone) : firstOf([lost, late.signal]),
    );
  } catch (error) {
    lost.throwIfAborted();
    emit({ kind: 'unseen', at, port: 'wishes', message: error instanceof Error ? error.message : String(error) });
    return { forRelease: [], waiting: [], unknown: [], ids: [] };
  }
}

/** Our own bug: stop deciding, and leave no weight with a candidate that nobody watches. */
async function closeOnBug(error: unknown, acting: Acting, release: Release): Promise<never> {
  if (error instanceof InvariantError && isForward(release.state.phase)) {
    const closed = { kind: 'interrupted', since: acting.at } as const;
    await attempt({ kind: 'setWeights', weights: weightsAt(release, closed) }, release, acting);
    await attempt({ kind: 'setPins', pins: pinsAt(release, closed) }, release, acting);
  }
  throw error;
}

/** A failure that is seen now may turn it back. */
function isUndecided(release: Release | undefined): boolean {
  return release !== undefined && isForward(release.state.phase);
}

/** Nothing moves by itself any more, unless a warm lane is due to go to zero. */
function isAtRest(release: Release, now: Instant): boolean {
  const { phase } = release.state;
  const isDue = phase.kind === 'promoted' && release.former !== undefined && now >= phase.warmUntil;
  return isOver(phase) && !isDue && !awaitsRouter(release.state);
}

function endAfter({ givesUp = false }: Drive, told: boolean, { decision: { state, hold, why } }: Turn, at: Instant) {
  if (told) return { kind: 'interrupted' } as const;
  const isStuck = givesUp && hold === 'foreign-writer' && isBackFailed(state, hold, at);
  return isStuck ? ({ kind: 'stuck', why } as const) : undefined;
}

/** How long nothing is done. A look that waited has seen the counts of long ago: the next one must not rest as well. */
function restOf({ turn: next, alert, late }: Turned, { restMs, alertMs, transitMs }: Pace, tookMs: number): number {
  const { kind } = next.decision.state.phase;
  const isStill = kind === 'holding' || kind === 'watching' || kind === 'comparing';
  const resting = isStill && !awaitsRouter(next.decision.state);
  const usualMs = resting ? (alert || late || kind === 'comparing' ? alertMs : restMs) : transitMs;
  return late ? Math.max(0, usualMs - tookMs) : usualMs;
}

/** A clock that is set while somebody drives moves no bake, no deadline and no half-life. */
function systemNow(): Instant {
  return instant(Math.round(performance.timeOrigin + performance.now()));
}
