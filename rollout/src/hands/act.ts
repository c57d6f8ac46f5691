import { setTimeout as sleep } from 'node:timers/promises';
import { journalGone } from '../engine/book.ts';
import type { WishAct } from '../engine/wishes.ts';
import { HeadgateError, isRefused, isUnreachable } from '../errors.ts';
import type { Acquired, Lease } from '../journal/journal.ts';
import { percent, weightsFor } from '../lane.ts';
import type { Marker } from '../pin.ts';
import type { Act, Wanted } from '../policy/look.ts';
import { isOver } from '../policy/phase.ts';
import { pinsAt } from '../policy/pins.ts';
import type { Head, WishAnswer } from '../policy/release.ts';
import { answerAgain, headAgain } from './away.ts';
import { addWish, type Handled, type Hands, hasController, headOf, pollMs, quietMs } from './hands.ts';
import { driveOn } from './wait.ts';

/** Promote, step, rollback, hold or resume: heard by whoever drives, or, if nobody does, by this process, which then drives on. */
export async function act(
  hands: Hands,
  kind: Act,
  wish: { release: number | undefined; reason: string },
): Promise<Handled> {
  return ask(hands, kind, wish, (head, asked) => ({ ...asked, kind, step: stepOf(head) }));
}

/** Sends marked requests to a role or a revision (by its first digits) from now on; `to` is `undefined`: no longer. Needs no release that runs. */
export async function pin(
  hands: Hands,
  marker: Marker,
  { to, ...wish }: { to: string | undefined; release: number | undefined; reason: string },
): Promise<Handled> {
  return to === undefined
    ? ask(hands, 'unpin', wish, (_, asked) => ({ ...asked, kind: 'unpin', marker }))
    : ask(hands, 'pin', wish, (_, asked) => ({ ...asked, kind: 'pin', marker, to }));
}

type Kind = Wanted['act'];

async function ask(
  hands: Hands,
  kind: Kind,
  { release, reason }: { release: number | undefined; reason: string },
  make: (head: Head, asked: { release: number | null; reason: string }) => WishAct,
): Promise<Handled> {
  const head = await headOf(hands);
  const refusal = refusalOf(head, kind, release);
  if (refusal !== undefined) return { kind: 'refused', code: 'REFUSED', text: refusal };
  const id = await addWish(hands, make(head, { release: release ?? head.release?.id ?? null, reason }));
  return heard(hands, id, kind);
}

async function heard(hands: Hands, wish: string, kind: Kind): Promise<Handled> {
  const end = await answerOrLock(hands, wish, kind).catch((error: unknown) => {
    throw isUnreachable(error) ? unconfirmed(error, kind) : error;
  });
  return 'lease' in end ? driveOn(hands, end.lease, wish) : end;
}

function unconfirmed(cause: unknown, kind: Kind): HeadgateError {
  const what = `Cannot tell whether this ${kind} was taken up as the journal cannot be read`;
  return new HeadgateError('JOURNAL_UNREADABLE', `${what}: it is given, not confirmed`, {
    hint: 'run `headgate status` as soon as the cluster answers: whoever drives takes it up then, if that has not been done',
    cause,
  });
}

/** Waits for the driver's answer; without one, and where no controller drives, this process is to become the driver, if its user may. */
async function answerOrLock(hands: Hands, wish: string, kind: Kind): Promise<Handled | { readonly lease: Lease }> {
  const asked = performance.now();
  let isBarred = false;
  for (let worried: Worried | undefined; ; ) {
    const head = await headAgain(hands);
    if (head.release === undefined) throw journalGone(`Cannot tell what became of this ${kind}`);
    const answer = head.answers.find(({ id }) => id === wish);
    if (answer !== undefined) return fromAnswer(head, answer);
    const acquired: Taken | undefined = !isBarred && mayDrive(hands, kind, worried) ? await take(hands) : undefined;
    if (acquired?.kind === 'held') return acquired;
    const isRefusedNow: boolean = acquired?.kind === 'barred';
    if (isRefusedNow || performance.now() - asked > quietMs) worried ??= await worry(hands, wish, kind);
    if (isRefusedNow) hands.say(barredText(hands, kind, worried));
    isBarred ||= isRefusedNow; // Asking again would change nothing but the API server's log.
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}

/** A controller is given its time first; after that a rollback, and nothing else, is done without it. */
function mayDrive(hands: Hands, kind: Kind, worried: Worried | undefined): boolean {
  return !hasController(hands) || (worried !== undefined && kind === 'rollback');
}

/** The lock, or that this user may not take it: a releaser may wish and close the candidate, and no more. */
type Taken = Acquired | { readonly kind: 'barred' };

async function take(hands: Hands): Promise<Taken> {
  const { ports, actor, signal } = hands;
  return answerAgain(hands, () => ports.lock.acquire(actor, signal)).catch((error: unknown) => {
    if (isRefused(error)) return { kind: 'barred' };
    throw error;
  });
}

function barredText({ spec }: Hands, kind: Kind, worried: Worried | undefined): string {
  const who = `this user may not drive (role headgate-${spec.app}-driver may)`;
  const state = worried === 'closed' ? 'the candidate has no weight, and ' : '';
  const rest = kind === 'rollback' ? 'ends the release' : 'takes this up';
  return `${who}: ${state}a controller or a driver ${rest} when one is back; this command waits for that`;
}

/** `closed`: the candidate has no weight and no pin, by this command's own hand. */
type Worried = 'closed' | 'said';

async function worry(hands: Hands, wish: string, kind: Kind): Promise<Worried> {
  const holding = await answerAgain(hands, () => hands.ports.lock.holding(hands.signal));
  const driver = holding?.holder ?? (hasController(hands) ? 'the controller' : 'whoever drives');
  const isTaken = (await headAgain(hands)).release?.state.pins.some((one) => one.wish === wish) === true;
  hands.say(isTaken ? 'the router has not confirmed it yet' : `${driver} has not taken this up yet; still waiting`);
  return kind === 'rollback' ? answerAgain(hands, () => closeByHand(hands)) : 'said';
}

/**
 * The driver hangs, and a rollback waits for nobody: the candidate's weight goes to 0 without the lock. A driver that comes back reads
 * the lowered weight as a person's rollback. Not after promotion: there the weights say who is live, and only a driver swaps roles.
 */
async function closeByHand(hands: Hands): Promise<Worried> {
  const { ports, say, signal } = hands;
  const { release, fence } = await headOf(hands);
  if (release?.former === undefined || release.state.live !== release.former || isOver(release.state.phase))
    return 'said';
  const { former, candidate, plan } = release;
  const { services } = await ports.workload.observe(former, signal);
  if (!Object.keys(plan.proxies).every((name) => (services[name]?.ready ?? 0) > 0)) {
    say(`lane ${former} has no ready proxy, so no traffic is moved to it`);
    return 'said';
  }
  ports.setFence(fence); // Not a new driver's: the one that hangs is still the driver.
  await ports.traffic.setWeights(weightsFor(former, percent(100)), signal);
  await ports.traffic.setPins(pinsAt(release, { kind: 'interrupted', since: release.startedAt }), signal);
  say(
    `the candidate, lane ${candidate}, was set to 0 % without the driver, and no pin leads to it; whoever takes the lock next ends the release`,
  );
  return 'closed';
}

function refusalOf(head: Head, kind: Kind, release: number | undefined): string | undefined {
  if (head.release === undefined) return `Cannot ${kind} as nothing has been released yet`;
  if (release !== undefined && release !== head.release.id) {
    return `Cannot ${kind} release ${release} as it is not the current one: that is release ${head.release.id}`;
  }
  if (isAboutRunning(kind) && isOver(head.release.state.phase))
    return `Cannot ${kind} as release ${head.release.id} has ended`;
  return undefined;
}

function isAboutRunning(kind: Kind): boolean {
  return kind !== 'rollback' && kind !== 'pin' && kind !== 'unpin';
}

function stepOf({ release }: Head): number | null {
  const phase = release?.state.phase;
  return phase !== undefined && 'step' in phase ? phase.step : null;
}

export function fromAnswer(head: Head, answer: WishAnswer): Handled {
  const { kind, text } = answer;
  if (kind === 'refused' || kind === 'quarantined')
    return { kind: 'refused', code: kind === 'refused' ? 'REFUSED' : 'QUARANTINED', text };
  if (kind === 'superseded' || kind === 'nothing') return { kind, text };
  return { kind: 'done', head, text: answer.text };
}
