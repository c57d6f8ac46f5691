/** The stages of the way back: what each waits for. */
import type { Adoption } from '../spec.ts';
import { fenceMaxMs } from './back-commands.ts';
import type { LaneLook, QueueLook } from './look.ts';
import type { BackStage, HoldReason } from './phase.ts';
import type { Release } from './release.ts';

/** Live's workers that have not asked for the candidate's messages by then will not: they know of no source list. */
export const bindMaxMs = 10_000;
/** An unconfirmed fence, or a workload that cannot be seen, is not waited for longer than this. */
const patienceMs = 1_000;
/** The driver answers quicker than any worker: what is left by then cannot be answered. */
const answerMaxMs = 60_000;

/** Everything a stage is judged by. */
export type Facts = {
  readonly lane: LaneLook;
  readonly adopt: Adoption;
  readonly live: QueueLook | undefined;
  readonly candidate: Release['candidate'];
  readonly waitedMs: number;
  readonly drainMs: number;
  readonly fencedForMs: number;
  /** Live's autoscaler may not shrink it yet, or that cannot be seen. */
  readonly held: boolean;
};

type Stage = {
  readonly isDone: (facts: Facts) => boolean;
  readonly hold: HoldReason;
  readonly waiting: string;
  readonly done: string;
};

/** The way back in order; what each stage waits for. Commands are in back-commands.ts. */
export const stages: Readonly<Record<BackStage, Stage>> = {
  closing: { isDone: () => true, hold: 'unconfirmed', waiting: '', done: 'weight 0 is confirmed' },
  fencing: {
    isDone: (facts) => isFenced(facts) || facts.waitedMs >= 5 * patienceMs,
    hold: 'queue-unseen',
    waiting: 'the fence is not confirmed yet',
    done: 'no message reaches the candidate any more',
  },
  stopping: {
    // Live may take over beside workers that cannot be seen. Beside the driver, who answers for them, a client would hear two answers.
    isDone: ({ lane, adopt, waitedMs, fencedForMs }) =>
      fencedForMs >= fenceMaxMs ||
      (lane.workload === undefined
        ? adopt !== 'answer' && waitedMs >= patienceMs
        : lane.workload.workers.present === 0),
    hold: 'workload-unseen',
    waiting: "the candidate's workers are still stopping",
    done: "the candidate's workers are gone",
  },
  binding: {
    isDone: ({ lane, adopt, live, candidate, fencedForMs }) =>
      adopt === 'redeploy'
        ? isUp(lane, fencedForMs)
        : live?.sources.includes(candidate) === true && lane.queue?.waiting === true,
    hold: 'queue-unseen',
    waiting: 'live has not taken over the backlog yet',
    done: "live has adopted the candidate's backlog",
  },
  draining: {
    isDone: ({ lane, waitedMs, drainMs }) =>
      lane.queue !== undefined && (isWorkedOff(lane.queue) || waitedMs >= drainMs),
    hold: 'leftovers',
    waiting: "live works off the candidate's backlog",
    done: 'the backlog is worked off',
  },
  answering: {
    isDone: ({ lane, waitedMs }) => lane.queue !== undefined && (lane.queue.messages === 0 || waitedMs >= answerMaxMs),
    hold: 'leftovers',
    waiting: 'what the candidate left goes to the dead letters, and its clients hear 503',
    done: 'what the candidate left is answered with 503 and lies in the dead letters',
  },
  retiring: {
    isDone: ({ lane, adopt }) =>
      lane.workload?.proxies.present === 0 && (adopt === 'redeploy' || lane.workload.workers.present === 0),
    hold: 'workload-unseen',
    waiting: 'the candidate is still stopping',
    done: "the candidate's proxies are gone",
  },
  emptying: {
    isDone: ({ lane }) => lane.queue !== undefined,
    hold: 'queue-unseen',
    waiting: 'the lane cannot be seen',
    done: 'the lane is empty',
  },
  unbinding: {
    isDone: ({ lane, adopt, live }) =>
      (adopt !== 'redeploy' || lane.workload?.workers.present === 0) && live?.sources.length === 1,
    hold: 'queue-unseen',
    waiting: 'the adoption has not ended yet',
    done: 'live pulls from its own lane only',
  },
};

function isUp({ workload, queue }: LaneLook, fencedForMs: number): boolean {
  if (workload === undefined) return false;
  const { ready, present } = workload.workers;
  return (ready > 0 && queue?.waiting === true) || (present > 0 && fencedForMs >= fenceMaxMs);
}

/** What nobody could answer lies in the dead letters. */
export function isWorkedOff({ drained, dead }: QueueLook): boolean {
  return drained && dead === 0;
}

function isFenced({ lane: { queue }, adopt, waitedMs }: Facts): boolean {
  if (queue === undefined) return false;
  return (adopt === 'redeploy' || queue.sources.length === 0) && (queue.fencedMs > 0 || waitedMs >= patienceMs);
}
