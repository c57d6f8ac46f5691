import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Driven, drive } from '../engine.ts';
import type { Lease } from '../journal/journal.ts';
import type { Instant } from '../lane.ts';
import { type Begun, begin, beginRestore, revisionToRestore } from '../policy/begin.ts';
import { isOver } from '../policy/phase.ts';
import type { Head, ReleaseRequest } from '../policy/release.ts';
import { reasonToMakeRoom } from '../policy/waiting.ts';
import { addWish, type Handled, type Hands, headOf, pollMs, systemNow } from './hands.ts';
import { waitFor } from './wait.ts';

/** Starts a release and drives it to its end; waits first if another one runs. The newest waiting release wins. */
export async function startRelease(hands: Hands, request: ReleaseRequest): Promise<Handled> {
  return whenFree(hands, request, (head) => begin(head, request, hands.spec, 'overwrite', systemNow()));
}

/** The way back after keepWarm, or to a named revision: it is released again, without steps. */
export async function restore(hands: Hands, wanted: string | undefined, reason: string): Promise<Handled> {
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
  const head = await headOf(hands);
  const answer = head.answers.find(({ id }) => id === wish);
  if (answer?.kind === 'superseded') return { kind: 'superseded', text: answer.text };
  const early = start(head);
  if (early.kind === 'nothing' || early.kind === 'refused') return early;
  return early.kind === 'follow' ? follow(hands, early.text) : undefined;
}

async function queueUp(hands: Hands, request: ReleaseRequest, holder: string): Promise<string> {
  hands.say(`${holder} drives another release; this one waits for it to end`);
  await makeRoom(hands, request, await headOf(hands));
  return addWish(hands, { kind: 'release', revision: request.revision.id });
}

async function makeRoom(hands: Hands, request: ReleaseRequest, head: Head): Promise<void> {
  const reason = reasonToMakeRoom(head, request, hands.spec.onNewCommit);
  if (reason === undefined) return;
  hands.say(`release ${head.release?.id} is rolled back first: ${reason}`);
  await addWish(hands, { kind: 'rollback', release: head.release?.id ?? null, step: null, reason });
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
  const head = await headOf(hands);
  if (wish !== undefined && head.answers.some(({ id, kind }) => id === wish && kind === 'superseded')) {
    return { kind: 'superseded', text: 'a newer release took its place in the queue' };
  }
  const unfinished = head.release !== undefined && !isOver(head.release.state.phase);
  if (unfinished) {
    await makeRoom(hands, request, head);
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
