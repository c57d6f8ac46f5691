import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driven } from '../engine.ts';
import type { Lease } from '../journal/journal.ts';
import type { Instant } from '../lane.ts';
import { type Begun, beginOrder, refuseOrder, revisionToRestore } from '../policy/begin.ts';
import { lastRoll } from '../policy/newest.ts';
import { isOver } from '../policy/phase.ts';
import type { Head, Order, ReleaseRequest, WishAnswer } from '../policy/release.ts';
import { idsOf, reasonToMakeRoom } from '../policy/waiting.ts';
import { act, fromAnswer } from './act.ts';
import { answerAgain, headAgain } from './away.ts';
import { driveOver } from './driving.ts';
import {
  addWish,
  type Handled,
  type Hands,
  hasController,
  headOf,
  leftBy,
  pollMs,
  quietMs,
  systemNow,
} from './hands.ts';
import { waitOn } from './wait.ts';
import { withdraw } from './withdraw.ts';

/** Starts a release and sees it to its end; waits first if another one runs. The newest waiting release wins. */
export function startRelease(hands: Hands, request: ReleaseRequest): Promise<Handled> {
  return place(hands, { request, spec: hands.spec, restores: false });
}

/** The same, but a controller is left alone with it once it has begun; where there is none it is seen to its end as ever. */
export function handOver(hands: Hands, request: ReleaseRequest): Promise<Handled> {
  return place(hands, { request, spec: hands.spec, restores: false }, 'begun');
}

/** The way back after keepWarm, or to a named revision: it is released again, without steps. */
export async function restore(
  hands: Hands,
  wanted: string | undefined,
  { release, reason }: { release: number | undefined; reason: string },
): Promise<Handled> {
  const head = await headOf(hands);
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
    deadLetterBacklog: false,
    probe: randomUUID(),
  };
  const from = release === undefined ? {} : { from: release };
  return place(hands, { request, spec: hands.spec, restores: true, ...from });
}

/** Whether `rollback` is a wish to the running release or a release of its own. `wanted`: the first digits of what is to be live. */
export function needsRestore(head: Head, wanted: string | undefined, now: Instant): boolean {
  const { release } = head;
  if (release === undefined) return false;
  if (wanted !== undefined && release.formerRevision?.startsWith(wanted) !== true) return true;
  // A rolling update leaves no other lane to go back to.
  if (lastRoll(head)?.outcome === 'promoted') return true;
  const { phase } = release.state;
  return (
    phase.kind === 'retired' ||
    phase.kind === 'retiring' ||
    (phase.kind === 'promoted' && (now >= phase.warmUntil || release.former === undefined))
  );
}

/** How far whoever orders a release of a controller goes with it. */
type Until = 'begun' | 'ended';

async function place(hands: Hands, order: Order, until: Until = 'ended'): Promise<Handled> {
  const refused = refuseOrder(await headOf(hands), order);
  if (refused !== undefined) return refused; // Before anybody drives what runs by these names, or takes it back.
  return hasController(hands) ? throughController(hands, order, until) : whenFree(hands, order);
}

/** The order travels in a wish; the controller answers whether it began, and the journal how it ended. */
async function throughController(hands: Hands, order: Order, until: Until): Promise<Handled> {
  const id = await queueUp(hands, order);
  const asked = performance.now();
  for (let said = false; ; ) {
    const head = await headAgain(hands);
    const { answers, waiting } = head;
    const answer = answers.find((one) => one.id === id);
    if (answer !== undefined) return goWith(hands, head, { answer, until });
    const left = await takeBack(hands, order, head);
    if (left !== undefined) return left;
    if (!said && performance.now() - asked > quietMs) {
      said = true;
      hands.say(
        waiting !== undefined && idsOf(waiting).includes(id)
          ? 'another release runs; this one is next'
          : 'the controller has not taken this up yet',
      );
    }
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}

/** Nobody else begins the order: whoever goes without its release takes it out of the queue, where it would supersede others. */
async function whenFree(hands: Hands, order: Order): Promise<Handled> {
  let wish: string | undefined;
  let isLeft = true;
  try {
    for (;;) {
      const acquired = await answerAgain(hands, () => hands.ports.lock.acquire(hands.actor, hands.signal));
      if (acquired.kind === 'held') {
        await using lease = acquired.lease;
        const driven = await driveNew(hands, lease, order, wish);
        isLeft = driven.kind !== 'ended';
        return driven;
      }
      const over = await whileBusy(hands, order, wish);
      isLeft = over?.kind !== 'superseded';
      if (over !== undefined) return over;
      if (wish === undefined) {
        hands.say(`${acquired.holder} drives another release; this one waits for it to end`);
        wish = await queueUp(hands, order);
      }
      const left = await takeBack(hands, order, await headAgain(hands));
      if (left !== undefined) return left;
      await sleep(pollMs, undefined, { signal: hands.signal });
    }
  } finally {
    if (wish !== undefined && isLeft) await withdraw(hands, order, wish);
  }
}

/** Whether waiting has a point; `undefined`: it has. */
async function whileBusy(hands: Hands, order: Order, wish: string | undefined): Promise<Handled | undefined> {
  const head = await headAgain(hands);
  const lost = placeLost(head, wish);
  if (lost !== undefined) return lost;
  const early = beginOrder(head, order, systemNow());
  if (early.kind === 'nothing' || early.kind === 'refused') return early;
  return early.kind === 'follow' ? follow(hands, early.text, early.release) : undefined;
}

/** Another took its place in the queue. */
function placeLost(head: Head, wish: string | undefined): Handled | undefined {
  const answer = head.answers.find(({ id }) => id === wish);
  return answer?.kind === 'superseded' || answer?.kind === 'refused' ? fromAnswer(head, answer) : undefined;
}

async function queueUp(hands: Hands, order: Order): Promise<string> {
  // Nothing else that waits is to begin once what runs has gone back.
  if (!order.restores) await makeRoom(hands, order, await headAgain(hands));
  return addWish(hands, { kind: 'release', order });
}

function sayRoom({ say, spec }: Hands, order: Order, head: Head): string | undefined {
  const reason = reasonToMakeRoom(head, order, spec.release.onNewCommit);
  if (reason !== undefined) say(`release ${head.release?.id} is rolled back first: ${reason}`);
  return reason;
}

/** A way back waits for nobody: what runs goes back first, as with a rollback of its own. @returns an end that leaves no place for more */
async function takeBack(hands: Hands, order: Order, head: Head): Promise<Handled | undefined> {
  const reason = order.restores ? sayRoom(hands, order, head) : undefined;
  if (reason === undefined) return undefined;
  const back = await act(hands, 'rollback', { release: head.release?.id, reason });
  return back.kind === 'stuck' || back.kind === 'interrupted' ? back : undefined;
}

async function makeRoom(hands: Hands, order: Order, head: Head): Promise<void> {
  const reason = sayRoom(hands, order, head);
  if (reason === undefined) return;
  await addWish(hands, { kind: 'rollback', release: head.release?.id ?? null, step: null, reason });
}

async function goWith(
  hands: Hands,
  head: Head,
  { answer, until }: { readonly answer: WishAnswer; readonly until: Until },
): Promise<Handled> {
  const { kind, text, release } = answer;
  if (kind !== 'begun') return fromAnswer(head, answer);
  if (until === 'begun' && release !== undefined) return { kind: 'begun', release, text };
  return follow(hands, text, release);
}

/** The order is under way: the end of that release is its end. */
async function follow(hands: Hands, text: string, release: number | undefined): Promise<Handled> {
  hands.say(text);
  const ended = await waitOn(hands, release, Number.POSITIVE_INFINITY);
  return ended.kind === 'timeout' ? { kind: 'nothing', text } : ended;
}

/** Ends what an earlier driver left, then begins. */
async function driveNew(hands: Hands, lease: Lease, order: Order, wish: string | undefined): Promise<Handled> {
  const head = await headOf(hands);
  const lost = placeLost(head, wish);
  if (lost !== undefined) return lost;
  if (head.release !== undefined && !isOver(head.release.state.phase)) {
    await makeRoom(hands, order, head);
    hands.say(`release ${head.release.id} has no driver; going on with it first`);
    const before = await driveOver(hands, lease);
    const left = leftBy(before);
    if (left !== undefined) return left;
  }
  let begun: Begun = { kind: 'wait', text: '' };
  const driven = await driveOver(hands, lease, async (book) => {
    begun = beginOrder(book.head, order, systemNow());
    if (begun.kind !== 'begun') return false;
    hands.say(begun.text);
    await book.write(begun.head, lease.lost);
    return true;
  });
  return ended(driven, begun);
}

function ended(driven: Driven, begun: Begun): Handled {
  const left = leftBy(driven);
  if (left !== undefined) return left;
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
