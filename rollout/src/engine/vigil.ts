import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf, withDeadline } from '../deadline.ts';
import { isUnreachable } from '../errors.ts';
import type { Lease } from '../journal/journal.ts';
import type { Instant } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import { queueHalf } from '../policy/back-commands.ts';
import { isForward, isJudged } from '../policy/phase.ts';
import type { Head, Release } from '../policy/release.ts';
import { turn } from '../policy/turn.ts';
import type { WorkQueue } from '../queue/queue.ts';
import { type Acting, attempt, goesBack } from './carry-out.ts';

/** So long the journal is waited for, and so often asked. */
const journalMaxMs = 1_000;
const askEveryMs = 100;
/** Two writes to a queue that answers. */
const giveMaxMs = 2_000;
/** A queue that does not answer keeps nobody from driving. */
const claimMaxMs = 500;

type Vigil = Pick<Acting, 'ports' | 'emit' | 'lease' | 'evidence' | 'watcher'> & {
  /** As the journal has it. */
  readonly head: Head;
  readonly everyMs: number;
  readonly now: () => Instant;
};

/** Tells the queue who drives. Where that fails, this driver keeps no vigil. */
export async function claimQueue({ queue }: Platform, { fence }: Head, { lost }: Lease): Promise<void> {
  await queue?.claim(fence, withDeadline(lost, claimMaxMs)).catch(() => {});
}

/**
 * What is left to do for a driver whose lock ran out while nobody could be asked for it, as when the API server is away for minutes: it
 * records and moves nothing, but it watches on, and a candidate that turns bad loses its queue to live. That loses no message, live's
 * workers are the better ones, and the next driver finds it and goes back. Should that one drive already, cut off from this one, its
 * claim on the queue says so. Ends when the journal answers, whatever it says, when another driver has claimed the queue, or by `signal`.
 */
export async function keepVigil(vigil: Vigil, signal: AbortSignal): Promise<void> {
  const { ports, head, everyMs } = vigil;
  const { release } = head;
  const { queue } = ports;
  if (release === undefined || queue === undefined || !isWatchable(release)) return;
  const over = new AbortController();
  const within = firstOf([signal, over.signal]);
  // Beside the looks: a journal that hangs must make none of them late.
  const asking = untilAnswered(ports, within).finally(() => over.abort());
  try {
    while (!within.aborted && (await watchOn({ ...vigil, release, queue }, within)))
      await sleep(everyMs, undefined, { signal: within });
  } catch (error) {
    if (!within.aborted) throw error;
  } finally {
    over.abort();
    await asking;
  }
}

type Watching = Vigil & { readonly release: Release; readonly queue: WorkQueue };

/** @returns `false` once somebody else drives */
async function watchOn(watching: Watching, signal: AbortSignal): Promise<boolean> {
  const { ports, queue, emit, head, release, evidence, watcher, lease } = watching;
  const at = watching.now();
  const sights = await watcher.sight(at, true, signal);
  // By the lost lock's own signal: nothing of it is written down.
  const judged = await evidence.take(release, sights, at, lease.lost);
  const look = await watcher.look(release, sights, { now: at, evidence: judged.evidence, wishes: [] }, signal);
  if (!goesBack(release, turn(head, release, look).decision.state.phase.kind)) return true;
  const driver = await queue.claimed(signal).catch(() => 'unseen' as const);
  if (driver === 'unseen') return true;
  if (driver !== head.fence) return false;
  // A journal that is back must not find it half given.
  const unheld: Lease = { lost: AbortSignal.timeout(giveMaxMs), async [Symbol.asyncDispose]() {} };
  const acting = { ports, emit, watcher, at, lease: unheld };
  for (const command of queueHalf(release, look)) await attempt(command, release, acting);
  return true;
}

/** The candidate has users whose requests wait in a queue. */
function isWatchable({ state: { phase } }: Release): boolean {
  return (isForward(phase) && isJudged(phase)) || phase.kind === 'watching';
}

async function untilAnswered({ journal }: Platform, signal: AbortSignal): Promise<void> {
  const asked = () => {
    const deadline = withDeadline(signal, journalMaxMs);
    return journal.read(deadline).then(
      () => true,
      (error: unknown) => !deadline.aborted && !isUnreachable(error), // A no is an answer, as from a namespace that is gone.
    );
  };
  while (!signal.aborted && !(await asked())) await sleep(askEveryMs, undefined, { signal }).catch(() => {});
}
