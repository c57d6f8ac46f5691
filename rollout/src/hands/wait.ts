import { setTimeout as sleep } from 'node:timers/promises';
import { journalGone } from '../engine/book.ts';
import type { Acquired, Lease } from '../journal/journal.ts';
import { isBackFailed } from '../policy/back.ts';
import { isHeldAtDeadline } from '../policy/forward.ts';
import { newestIn } from '../policy/newest.ts';
import { isOver } from '../policy/phase.ts';
import type { Head, Release } from '../policy/release.ts';
import { answerAgain, headAgain } from './away.ts';
import { driveOver } from './driving.ts';
import { type Handled, type Hands, hasController, headOf, leftBy, pollMs, stuckAt, systemNow } from './hands.ts';

/**
 * Waits until a release is promoted or has ended; drives it itself when nobody does and no controller will. A rolling update is waited
 * for alone: only who can apply it goes on with it. One that its deadline has passed is not waited for: that may take a person days.
 *
 * @param wanted Number of the release; by default the one that is current when the waiting begins. A later one never stands in for it.
 */
export async function waitFor(
  hands: Hands,
  until: 'promoted' | 'ended',
  timeoutMs: number,
  wanted?: number,
): Promise<Handled | { kind: 'timeout'; head: Head }> {
  return waitFrom(await headOf(hands), hands, { until, timeoutMs, wanted });
}

/** The end of a release that this command has begun or turned back: it waits from the start for a journal that is away. */
export async function waitOn(hands: Hands, release: number | undefined, timeoutMs: number): ReturnType<typeof waitFor> {
  return waitFrom(await headAgain(hands, timeoutMs), hands, { until: 'ended', timeoutMs, wanted: release });
}

type Wait = {
  readonly until: 'promoted' | 'ended';
  readonly timeoutMs: number;
  readonly wanted: number | undefined;
};

async function waitFrom(first: Head, hands: Hands, { until, timeoutMs, wanted }: Wait): ReturnType<typeof waitFor> {
  const started = performance.now();
  const id = wanted ?? newestIn(first);
  if (id === undefined || first.release === undefined)
    return { kind: 'nothing', text: 'nothing has been released yet' };
  const givenUp = watchInVain(id, timeoutMs);
  for (let head = first; ; head = await headAgain(hands, timeoutMs - (performance.now() - started))) {
    const { release } = head;
    if (release === undefined) throw journalGone(`Cannot tell how release ${id} ends`);
    const isRolling = head.rolling?.id === id;
    if (!isRolling && hasCome(until, release, id)) return { kind: 'ended', head, release: id };
    const acquired = isRolling ? undefined : await driverless(hands, timeoutMs - (performance.now() - started));
    if (acquired?.kind === 'held') {
      hands.say(`release ${release.id} has no driver; this command goes on with it`);
      return driveOn(hands, acquired.lease, '');
    }
    const over = givenUp(head, release);
    if (over !== undefined) return over;
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}

/** Whoever drives may just have come back, as an API server does, and be about to succeed. */
const failingMs = 5_000;

/** Says of each head why the release is waited for no longer although it has not ended. Whoever drives it goes on trying. */
function watchInVain(id: number, timeoutMs: number) {
  const started = performance.now();
  let failingSince: number | undefined;
  return (head: Head, release: Release): Handled | { kind: 'timeout'; head: Head } | undefined => {
    const now = performance.now();
    const isCurrent = release.id === id;
    const fails = isCurrent && isBackFailed(release.state, undefined, systemNow());
    failingSince = fails ? (failingSince ?? now) : undefined;
    if (failingSince !== undefined && now - failingSince >= failingMs)
      return stuckAt(release, 'the router has not confirmed weight 0 for the candidate; `headgate status` says why');
    if (isCurrent && isHeldAtDeadline(release, systemNow())) {
      const text = `release ${id} is held: it was not promoted by its deadline, and a person decides: \`headgate promote\` or \`headgate rollback\``;
      return { kind: 'held', release: id, text };
    }
    return now - started >= timeoutMs ? { kind: 'timeout', head } : undefined;
  };
}

/** The lock, where whoever finds it free is to drive. */
async function driverless(hands: Hands, leftMs: number): Promise<Acquired | undefined> {
  if (hasController(hands)) return undefined;
  return answerAgain(hands, () => hands.ports.lock.acquire(hands.actor, hands.signal), leftMs);
}

function hasCome(until: 'promoted' | 'ended', { id, state: { phase } }: Release, wanted: number): boolean {
  return id > wanted || isOver(phase) || (until === 'promoted' && phase.kind === 'watching');
}

export async function driveOn(hands: Hands, acquired: Lease, wish: string): Promise<Handled> {
  await using lease = acquired;
  const before = (await headOf(hands)).release?.state.phase;
  const driven = await driveOver(hands, lease);
  const left = leftBy(driven);
  if (left !== undefined) return left;
  const answer = driven.head.answers.find(({ id }) => id === wish);
  if (answer?.kind === 'refused') return { kind: 'refused', code: 'REFUSED', text: answer.text };
  const after = driven.head.release?.state.phase;
  // It moved nothing, as a pin while nothing is released: what there is to tell is the answer.
  if (answer !== undefined && after?.kind === before?.kind && after?.since === before?.since)
    return { kind: 'done', head: driven.head, text: answer.text };
  return { kind: 'ended', head: driven.head, release: driven.head.release?.id ?? 0 };
}
