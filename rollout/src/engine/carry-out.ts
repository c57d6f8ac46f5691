import { HeadgateError, InvariantError } from '../errors.ts';
import type { Lease } from '../journal/journal.ts';
import type { Instant } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import { queueHalf } from '../policy/back-commands.ts';
import type { Look } from '../policy/look.ts';
import { isForward, isJudged } from '../policy/phase.ts';
import type { Command, Release } from '../policy/release.ts';
import type { Turn } from '../policy/turn.ts';
import type { Book } from './book.ts';
import type { EvidenceBook } from './evidence.ts';
import type { Emit } from './occurrence.ts';
import { perform } from './perform.ts';
import type { SyntheticSender } from './synthetic.ts';
import type { Watcher } from './watcher.ts';

/** Everything that one turn acts with. */
export type Acting = {
  readonly ports: Platform;
  readonly lease: Lease;
  readonly emit: Emit;
  readonly book: Book;
  readonly evidence: EvidenceBook;
  readonly watcher: Watcher;
  readonly synthetic: SyntheticSender;
  readonly at: Instant;
};

type Taken = {
  readonly release: Release;
  readonly look: Look;
  readonly mustWrite: boolean;
  /** The router did not answer this look. */
  readonly isBlind: boolean;
};

/** So long a router is waited for on the way back, and when it did not answer the look: the queue's half and the next look must not be late for it. */
const hurriedMaxMs = 250;
/** And so long anything while the candidate has users: the judge must not be without counts for a server that hangs. */
const watchedMaxMs = 2_000;

/**
 * Records a turn, then does it. What cannot be recorded is not done, and decided again at the next look; the one exception is the way
 * back, whose weight 0 waits for nothing, and whose queue half goes at once if the router does not take it.
 *
 * @returns whether the journal has it
 */
export async function carryOut(
  { head, decision, changed }: Turn,
  { release, look, mustWrite, isBlind }: Taken,
  acting: Acting,
): Promise<boolean> {
  const { emit, at } = acting;
  const after: Release = { ...release, state: decision.state };
  const isBack = goesBack(release, decision.state.phase.kind);
  const urgent = isBack ? decision.commands.filter(isTraffic) : [];
  acting.watcher.cannot = undefined;
  const giveQueue = async () => {
    if (urgent.length > 0) for (const command of queueHalf(release, look)) await attempt(command, after, acting);
  };
  if (isBlind) await giveQueue(); // The lock may be lost while such a router is waited for.
  if (!(await allTaken(urgent, after, acting)) && !isBlind) await giveQueue();
  if (mustWrite && !(await record(head, release, acting))) return false;
  if (changed) emit({ kind: 'decided', at, release: after, decision });
  const others = isBack ? decision.commands.filter((command) => !isTraffic(command)) : decision.commands;
  await doAll(others, after, isBlind, acting);
  return true;
}

async function doAll(commands: readonly Command[], after: Release, isBlind: boolean, acting: Acting): Promise<void> {
  const { evidence, lease, at } = acting;
  const { phase } = after.state;
  const isWatched = isForward(phase) && isJudged(phase);
  for (const command of commands) {
    if (isBlind && isWatched && isTraffic(command)) continue; // Asked for again once it can be seen whether it is needed.
    if (command.kind === 'setWeights') await evidence.beforeWeights(after, command.weights, at, lease.lost);
    await attempt(command, after, acting, isBlind ? hurriedMaxMs : isWatched ? watchedMaxMs : undefined);
  }
}

/** Whether the router has taken the weights, if there are any among them. */
async function allTaken(urgent: readonly Command[], after: Release, acting: Acting): Promise<boolean> {
  let isTaken = true;
  for (const command of urgent) {
    const isDone = await attempt(command, after, acting, hurriedMaxMs);
    if (command.kind === 'setWeights') isTaken = isDone;
  }
  return isTaken;
}

async function record(head: Turn['head'], release: Release, acting: Acting): Promise<boolean> {
  const { book, evidence, lease, emit, at } = acting;
  try {
    await evidence.flush(release, lease.lost);
    await book.write(head, lease.lost);
    return true;
  } catch (error) {
    lease.lost.throwIfAborted();
    if (!(error instanceof HeadgateError) || error.code !== 'JOURNAL_UNWRITABLE') throw error;
    emit({ kind: 'commandFailed', at, command: 'record', message: error.message });
    return false;
  }
}

/** This very decision turns round. */
export function goesBack(before: Release, kind: Release['state']['phase']['kind']): boolean {
  return (kind === 'rollingBack' || kind === 'returning') && before.state.phase.kind !== kind;
}

function isTraffic(command: Command): command is Extract<Command, { readonly kind: 'setWeights' | 'setPins' }> {
  return command.kind === 'setWeights' || command.kind === 'setPins';
}

/** @returns whether the world took it. If not, the next look finds the world unchanged and asks again. */
export async function attempt(
  command: Command,
  release: Release,
  { ports, lease, emit, watcher, at }: Pick<Acting, 'ports' | 'lease' | 'emit' | 'watcher' | 'at'>,
  maxMs?: number,
): Promise<boolean> {
  try {
    const done = await perform(command, release, ports, { lost: lease.lost, maxMs });
    if (done.kind === 'unsupported') watcher.cannot = done.why;
    return done.kind !== 'unsupported';
  } catch (error) {
    if (error instanceof InvariantError || lease.lost.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error); // For the person on call.
    emit({ kind: 'commandFailed', at, command: command.kind, message });
    return false;
  }
}
