import type { ConsumerSeen, LaneQueueSeen } from './queue.ts';

/** What two looks at a lane say that one cannot. Pure: no clock, no server. */

/** Nothing waits and nothing is in work, in two looks running. Never across a stream or consumer that was made anew. */
export function drained(previous: LaneQueueSeen, current: LaneQueueSeen): boolean {
  return previous.epoch === current.epoch && lag(previous) === 0 && lag(current) === 0;
}

/**
 * Messages that no consumer will get any more, in two looks running: `messages - lag`.
 * A message that arrives between the two questions of one look is not one of them, hence the smaller of both.
 */
export function dead(previous: LaneQueueSeen, current: LaneQueueSeen): number {
  if (previous.epoch !== current.epoch) return 0;
  return Math.max(0, Math.min(previous.messages - lag(previous), current.messages - lag(current)));
}

/** Messages that left the lane between two looks, per second; `undefined` where none did, or where nothing can be said. */
export function donePerSec(previous: LaneQueueSeen, current: LaneQueueSeen, betweenMs: number): number | undefined {
  const done = current.lastSeq - current.messages - (previous.lastSeq - previous.messages);
  return previous.epoch === current.epoch && betweenMs > 0 && done > 0 ? (1_000 * done) / betweenMs : undefined;
}

/** Messages of the lane that are not done: never delivered, or delivered and not acked. */
export function lag(seen: LaneQueueSeen): number {
  return Object.values(seen.consumers).reduce((sum, { pending, ackPending }) => sum + pending + ackPending, 0);
}

/**
 * All messages of this consumer up to here are done or dead, whatever else is in work: with nothing in work the last delivered one, else the ack floor.
 * A nacked message that will come again still counts as in work. The floor is cautious: a dead message can hold it down until nothing is in work.
 */
export function settledUpTo({ ackPending, deliveredStreamSeq, ackFloorStreamSeq }: ConsumerSeen): number {
  return ackPending === 0 ? deliveredStreamSeq : ackFloorStreamSeq;
}
