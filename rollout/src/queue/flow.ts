import type { LaneQueueSeen } from './queue.ts';
import { dead, lag } from './seen.ts';

/** What the workers say of one lane's messages since the last look. */
export type Done = { readonly acked: number; readonly terminated: number };

/** What became of a lane's messages since the last look. */
export type Flow = {
  readonly arrived: number;
  readonly acked: number;
  readonly expired: number;
  readonly backlog: number;
  readonly delivered: number;
  readonly redelivered: number;
  /** Expired, given up by a worker, or never to be delivered again. */
  readonly dropped: number;
};

/** One lane's sums since its first look, and how much of each has been told. */
export type FlowBook = {
  readonly first: LaneQueueSeen;
  readonly last: LaneQueueSeen;
  readonly done: number;
  readonly told: { readonly redelivered: number; readonly expired: number; readonly dead: number };
  /** The most messages that seemed to have expired when none can have. */
  readonly slack: number;
};

/** A message this close to the end of its life may have expired between two looks. */
const expiryMarginMs = (maxAgeMs: number) => Math.min(10_000, maxAgeMs / 2);

/**
 * What became of a lane's messages between two looks. Redelivered and expired ones are what is left when all else is
 * taken away, and the figures are not read at one moment: so they are told once the sum since the first look shows them,
 * and a moment's difference is never told twice. `done` must be read after `seen`, so that nothing expires too early.
 *
 * @returns `flow` is `undefined` for a first look, and when the stream or a consumer was made anew
 */
export function flow(
  before: FlowBook | undefined,
  seen: LaneQueueSeen,
  { acked, terminated }: Done,
): { readonly book: FlowBook; readonly flow: Flow | undefined } {
  if (before === undefined || before.last.epoch !== seen.epoch || seen.lastSeq < before.last.lastSeq) {
    return { book: opened(seen), flow: undefined };
  }
  const done = before.done + acked + terminated;
  const left = seen.lastSeq - before.first.lastSeq - done - (seen.messages - before.first.messages);
  const mayExpire =
    Math.max(before.last.oldestAgeMs, seen.oldestAgeMs) >= seen.maxAgeMs - expiryMarginMs(seen.maxAgeMs);
  // Young messages do not expire: what seems to be missing was read a moment too late, or acked by a worker that died.
  const slack = mayExpire ? before.slack : Math.max(before.slack, left - before.told.expired);
  const expired = Math.max(0, left - slack - before.told.expired);
  const redelivered = Math.max(0, redeliveries(before, seen) - before.told.redelivered);
  const unreachable = Math.max(0, dead(before.last, seen) - before.told.dead);
  const { told } = before;
  return {
    book: {
      ...before,
      last: seen,
      done,
      slack,
      told: {
        redelivered: told.redelivered + redelivered,
        expired: told.expired + expired,
        dead: told.dead + unreachable,
      },
    },
    flow: {
      arrived: seen.lastSeq - before.last.lastSeq,
      acked,
      expired,
      backlog: lag(seen),
      delivered: Math.max(0, delivered(seen) - delivered(before.last)),
      redelivered,
      dropped: expired + terminated + unreachable,
    },
  };
}

function opened(seen: LaneQueueSeen): FlowBook {
  return { first: seen, last: seen, done: 0, told: { redelivered: 0, expired: 0, dead: 0 }, slack: 0 };
}

/**
 * All deliveries since the first look but the first one of each message; a message that expired unread had none. A lone
 * consumer says both at one moment; several share the stream's sequences, and only their sum says something.
 */
function redeliveries({ first, told }: FlowBook, seen: LaneQueueSeen): number {
  const [only, ...others] = Object.entries(seen.consumers);
  if (only !== undefined && others.length === 0) {
    const before = first.consumers[only[0]] ?? only[1];
    const firsts = only[1].deliveredStreamSeq - before.deliveredStreamSeq;
    return only[1].deliveredConsumerSeq - before.deliveredConsumerSeq - firsts;
  }
  const firstDeliveries = seen.lastSeq - first.lastSeq - (pending(seen) - pending(first)) - told.expired;
  return delivered(seen) - delivered(first) - firstDeliveries;
}

function delivered({ consumers }: LaneQueueSeen): number {
  return Object.values(consumers).reduce((sum, { deliveredConsumerSeq }) => sum + deliveredConsumerSeq, 0);
}

function pending({ consumers }: LaneQueueSeen): number {
  return Object.values(consumers).reduce((sum, one) => sum + one.pending, 0);
}
