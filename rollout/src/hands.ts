import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readHead } from './engine/book.ts';
import type { Emit } from './engine/occurrence.ts';
import type { WishAct } from './engine/wishes.ts';
import { type Driven, drive, type Pace } from './engine.ts';
import type { Json, Lease } from './journal/journal.ts';
import { type Instant, instant } from './lane.ts';
import type { Platform } from './platform/platform.ts';
import { type Begun, begin, beginRestore, revisionToRestore } from './policy/begin.ts';
import type { Act } from './policy/look.ts';
import { isOver } from './policy/phase.ts';
import type { Head, ReleaseRequest, WishAnswer } from './policy/release.ts';
import type { ReleaseSpec } from './spec.ts';

/** What a person or CI has in hand: one app's ports, and how to tell what happens. */
export type Hands = {
  readonly ports: Platform;
  readonly app: string;
  readonly spec: ReleaseSpec;
  /** `user@host`, `actions/<run>/<attempt>` or `jenkins/<job>/<n>`. */
  readonly actor: string;
  readonly emit: Emit;
  /** Says one sentence to whoever waits. */
  readonly say: (text: string) => void;
  /** Aborts when this process is told to go. */
  readonly signal: AbortSignal;
  /** For tests that have no time. */
  readonly pace?: Pace;
};

/** How an act ended. `release` is the one it was about, where there is one. */
export type Handled =
  | { readonly kind: 'ended'; readonly head: Head; readonly release: number }
  | { readonly kind: 'done'; readonly head: Head; readonly text: string }
  | { readonly kind: 'nothing' | 'superseded'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: 'REFUSED' | 'QUARANTINED'; readonly text: string }
  | { readonly kind: 'interrupted'; readonly head: Head };

/** How often somebody who waits looks at the journal. */
const pollMs = 150;
/** A wish that nobody takes up for so long is worth a word. */
const quietMs = 2_000;

/** Starts a release and drives it to its end; waits first if another one runs. The newest waiting release wins. */
export async function startRelease(hands: Hands, request: ReleaseRequest): Promise<Handled> {
  return whenFree(hands, request, (head) => begin(head, request, hands.spec, 'overwrite', systemNow()));
}

/** Promote, step, rollback, hold or resume: heard by whoever drives, or, if nobody does, by this process, which then drives on. */
export async function act(
  hands: Hands,
  kind: Act,
  wish: { release: number | undefined; reason: string },
): Promise<Handled> {
  const head = await readHead(hands.ports.journal, hands.app, hands.signal);
  const refusal = refusalOf(head, kind, wish.release);
  if (refusal !== undefined) return { kind: 'refused', code: 'REFUSED', text: refusal };
  const id = await addWish(hands, {
    kind,
    release: wish.release ?? head.release?.id ?? null,
    step: stepOf(head),
    reason: wish.reason,
  });
  const asked = performance.now();
  for (let said = false; ; ) {
    const answer = await answerTo(hands, id);
    if (answer !== undefined) return fromAnswer(hands, answer);
    const acquired = await hands.ports.lock.acquire(hands.actor, hands.signal);
    if (acquired.kind === 'held') return driveOn(hands, acquired.lease, id);
    if (!said && performance.now() - asked > quietMs) {
      hands.say(`${acquired.holder} drives and has not taken this up yet; still waiting`);
      said = true;
    }
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}

/** The way back after keepWarm, or to a named revision: it is released again, without steps. */
export async function restore(hands: Hands, wanted: string | undefined, reason: string): Promise<Handled> {
  const head = await readHead(hands.ports.journal, hands.app, hands.signal);
  const revision = revisionToRestore(head, wanted);
  if (revision === undefined) {
    const known = head.revisions.map(({ id }) => id.slice(0, 8)).join(', ');
    return {
      kind: 'refused',
      code: 'REFUSED',
      text: `Cannot go back as the journal keeps no such revision: it has ${known || 'none'}`,
    };
  }
  const request: ReleaseRequest = {
    revision,
    actor: hands.actor,
    reason,
    ancestry: 'unknown',
    insist: true,
    hotfix: false,
    probe: randomUUID(),
  };
  return whenFree(hands, request, (now) => beginRestore(now, request, hands.spec, 'overwrite', systemNow()));
}

/** Whether `rollback` is a wish to the running release or a release of its own. */
export function needsRestore(head: Head, now: Instant): boolean {
  const { release } = head;
  if (release === undefined) return false;
  const { phase } = release.state;
  return (
    phase.kind === 'retired' ||
    phase.kind === 'retiring' ||
    (phase.kind === 'promoted' && (now >= phase.warmUntil || release.former === undefined))
  );
}

/** Waits until the app's release is promoted or has ended; drives it itself when nobody does. */
export async function waitFor(
  hands: Hands,
  until: 'promoted' | 'ended',
  timeoutMs: number,
): Promise<Handled | { kind: 'timeout'; head: Head }> {
  const started = performance.now();
  for (;;) {
    const head = await readHead(hands.ports.journal, hands.app, hands.signal);
    const release = head.release;
    if (release === undefined) return { kind: 'nothing', text: 'nothing has been released yet' };
    const { phase } = release.state;
    if (isOver(phase) || (until === 'promoted' && phase.kind === 'watching'))
      return { kind: 'ended', head, release: release.id };
    const acquired = await hands.ports.lock.acquire(hands.actor, hands.signal);
    if (acquired.kind === 'held') {
      hands.say(`release ${release.id} has no driver; this command goes on with it`);
      return driveOn(hands, acquired.lease, '');
    }
    if (performance.now() - started >= timeoutMs) return { kind: 'timeout', head };
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}

async function whenFree(hands: Hands, request: ReleaseRequest, start: (head: Head) => Begun): Promise<Handled> {
  for (let wish: string | undefined; ; ) {
    const acquired = await hands.ports.lock.acquire(hands.actor, hands.signal);
    if (acquired.kind === 'held') {
      await using lease = acquired.lease;
      return await driveNew(hands, lease, request, start, wish);
    }
    const over = await whileBusy(hands, start, wish);
    if (over !== undefined) return over;
    wish ??= await queueUp(hands, request, acquired.holder);
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}

/** Whether waiting has a point; `undefined`: it has. */
async function whileBusy(
  hands: Hands,
  start: (head: Head) => Begun,
  wish: string | undefined,
): Promise<Handled | undefined> {
  const head = await readHead(hands.ports.journal, hands.app, hands.signal);
  const answer = head.answers.find(({ id }) => id === wish);
  if (answer?.kind === 'superseded') return { kind: 'superseded', text: answer.text };
  const early = start(head);
  if (early.kind === 'nothing' || early.kind === 'refused') return early;
  return early.kind === 'follow' ? follow(hands, early.text) : undefined;
}

async function queueUp(hands: Hands, request: ReleaseRequest, holder: string): Promise<string> {
  hands.say(`${holder} drives another release; this one waits for it to end`);
  if (request.hotfix)
    await addWish(hands, { kind: 'rollback', release: null, step: null, reason: `hotfix: ${request.reason}` });
  return addWish(hands, { kind: 'release', revision: request.revision.id });
}

/** The same revision is under way already: its end is ours. */
async function follow(hands: Hands, text: string): Promise<Handled> {
  hands.say(text);
  const ended = await waitFor(hands, 'ended', Number.POSITIVE_INFINITY);
  return ended.kind === 'timeout' ? { kind: 'nothing', text } : ended;
}

/** Ends what an earlier driver left, then begins. */
async function driveNew(
  hands: Hands,
  lease: Lease,
  request: ReleaseRequest,
  start: (head: Head) => Begun,
  wish: string | undefined,
): Promise<Handled> {
  const head = await readHead(hands.ports.journal, hands.app, hands.signal);
  if (wish !== undefined && head.answers.some(({ id, kind }) => id === wish && kind === 'superseded')) {
    return { kind: 'superseded', text: 'a newer release took its place in the queue' };
  }
  const unfinished = head.release !== undefined && !isOver(head.release.state.phase);
  if (unfinished && request.hotfix)
    await addWish(hands, { kind: 'rollback', release: null, step: null, reason: `hotfix: ${request.reason}` });
  if (unfinished) {
    hands.say(`release ${head.release?.id} has no driver; going on with it first`);
    const before = await drive({ ...hands, lease });
    if (before.kind === 'interrupted') return { kind: 'interrupted', head: before.head };
  }
  let begun: Begun = { kind: 'wait', text: '' };
  const driven = await drive({
    ...hands,
    lease,
    begin: async (book) => {
      begun = start(book.head);
      if (begun.kind !== 'begun') return false;
      hands.say(begun.text);
      await book.write({ ...begun.head, waiting: undefined }, lease.lost);
      return true;
    },
  });
  return ended(driven, begun);
}

function ended(driven: Driven, begun: Begun): Handled {
  if (driven.kind === 'interrupted') return { kind: 'interrupted', head: driven.head };
  switch (begun.kind) {
    case 'begun':
      return { kind: 'ended', head: driven.head, release: begun.head.release?.id ?? 0 };
    case 'nothing':
    case 'refused':
      return begun;
    case 'follow':
    case 'wait':
      return { kind: 'nothing', text: begun.text };
  }
}

async function driveOn(hands: Hands, acquired: Lease, wish: string): Promise<Handled> {
  await using lease = acquired;
  const driven = await drive({ ...hands, lease });
  if (driven.kind === 'interrupted') return { kind: 'interrupted', head: driven.head };
  const answer = driven.head.answers.find(({ id }) => id === wish);
  if (answer?.kind === 'refused') return { kind: 'refused', code: 'REFUSED', text: answer.text };
  return { kind: 'ended', head: driven.head, release: driven.head.release?.id ?? 0 };
}

function refusalOf(head: Head, kind: Act, release: number | undefined): string | undefined {
  if (head.release === undefined) return `Cannot ${kind} as nothing has been released yet`;
  if (release !== undefined && release !== head.release.id) {
    return `Cannot ${kind} release ${release} as it is not the current one: that is release ${head.release.id}`;
  }
  if (kind !== 'rollback' && isOver(head.release.state.phase))
    return `Cannot ${kind} as release ${head.release.id} has ended`;
  return undefined;
}

function stepOf({ release }: Head): number | null {
  const phase = release?.state.phase;
  return phase !== undefined && 'step' in phase ? phase.step : null;
}

function addWish(hands: Hands, wish: WishAct): Promise<string> {
  return hands.ports.wishes.add({ act: wish as unknown as Json, actor: hands.actor, at: Date.now() }, hands.signal);
}

async function answerTo(hands: Hands, wish: string): Promise<WishAnswer | undefined> {
  const head = await readHead(hands.ports.journal, hands.app, hands.signal);
  return head.answers.find(({ id }) => id === wish);
}

async function fromAnswer(hands: Hands, answer: WishAnswer): Promise<Handled> {
  if (answer.kind === 'refused') return { kind: 'refused', code: 'REFUSED', text: answer.text };
  if (answer.kind === 'superseded') return { kind: 'superseded', text: answer.text };
  return { kind: 'done', head: await readHead(hands.ports.journal, hands.app, hands.signal), text: answer.text };
}

function systemNow(): Instant {
  return instant(Date.now());
}
