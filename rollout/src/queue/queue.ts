import type { Lane } from '../lane.ts';

/** One worker service's share of a lane's queue. */
export type ConsumerSeen = {
  /** Never delivered. */
  readonly pending: number;
  /** Delivered, not acked. */
  readonly ackPending: number;
  /** Parked pull requests: somebody is ready to take work. */
  readonly waiting: number;
  /** Sequences for differences: deliveries with redeliveries, and the stream positions. */
  readonly deliveredConsumerSeq: number;
  readonly deliveredStreamSeq: number;
  readonly ackFloorStreamSeq: number;
  /** A worker that has had a message for so long without an ack has lost it: another gets it. */
  readonly ackWaitMs: number;
  /** How long the fence still stands; 0 when there is none. */
  readonly fencedMs: number;
};

export type LaneQueueSeen = {
  /** Unprocessed messages in the lane's stream. */
  readonly messages: number;
  /** Sequence of the newest message that ever came: for differences, how many came. */
  readonly lastSeq: number;
  /** Age of the oldest by the server's own clock; 0 when there is none. */
  readonly oldestAgeMs: number;
  /** A message that is older is thrown away, processed or not. */
  readonly maxAgeMs: number;
  readonly consumers: Readonly<Record<string, ConsumerSeen>>;
  /** The lanes that this lane's workers pull from now. */
  readonly sources: readonly Lane[];
  /** Changes when the stream or a consumer was made anew: sequences from before say nothing. */
  readonly epoch: string;
};

/** The fence was set; or it was skipped, because the server's clock and ours disagree. */
export type Fenced =
  | { readonly kind: 'fenced'; readonly remainingMs: number }
  | { readonly kind: 'skipped'; readonly why: string };

/** Messages that one call disposes of, the oldest first: whoever drives must go on looking. */
export const lettersMax = 1_000;

/** Queue work of both lanes. Every command says what shall be and is safe to repeat. */
export interface WorkQueue {
  /** @throws {HeadgateError} `QUEUE_UNREACHABLE` */
  observe(lane: Lane, signal: AbortSignal): Promise<LaneQueueSeen>;
  /** Tells the workers of `lane` which lanes to pull from. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
  setSources(lane: Lane, sources: readonly Lane[], signal: AbortSignal): Promise<void>;
  /** Says on the queue itself who drives, by the fence of the journal's head: the last one to say so does. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
  claim(fence: number, signal: AbortSignal): Promise<void>;
  /** What was claimed last; `undefined`: nothing yet. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
  claimed(signal: AbortSignal): Promise<number | undefined>;
  /** Nobody gets a message of this lane for `forMs` from now. Renewal moves the end. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
  fence(lane: Lane, forMs: number, signal: AbortSignal): Promise<Fenced>;
  /** Lets deliveries go on within 100 ms. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
  unfence(lane: Lane, signal: AbortSignal): Promise<void>;
  /**
   * Copies what is left up to `upToStreamSeq` to the dead letters, answers each with 500 and deletes it, in this order. What a consumer
   * may still deliver or has in work is left alone. At most `lettersMax` in one call.
   * @returns how many were disposed of
   * @throws {HeadgateError} `QUEUE_UNREACHABLE`
   */
  disposeDead(lane: Lane, upToStreamSeq: number, signal: AbortSignal): Promise<number>;
  /**
   * As `disposeDead`, but with 503 and for every message, delivered or not: in the place of workers, of whom the lane may have none left.
   * @returns how many were answered
   * @throws {HeadgateError} `QUEUE_UNREACHABLE`
   */
  answerLeft(lane: Lane, upToStreamSeq: number, signal: AbortSignal): Promise<number>;
}
