import { describe, expect, test } from '@jest/globals';
import type { ConsumerSeen, LaneQueueSeen } from './queue.ts';
import { dead, donePerSec, drained, lag, settledUpTo } from './seen.ts';

function aConsumer(parts: Partial<ConsumerSeen> = {}): ConsumerSeen {
  return {
    pending: 0,
    ackPending: 0,
    waiting: 1,
    deliveredConsumerSeq: 9,
    deliveredStreamSeq: 9,
    ackFloorStreamSeq: 9,
    ackWaitMs: 10_000,
    fencedMs: 0,
    ...parts,
  };
}

function aLook({
  consumer = {},
  ...parts
}: Partial<LaneQueueSeen> & { consumer?: Partial<ConsumerSeen> } = {}): LaneQueueSeen {
  return {
    messages: 0,
    lastSeq: 9,
    oldestAgeMs: 0,
    maxAgeMs: 120_000,
    consumers: { rating: aConsumer(consumer), mail: aConsumer() },
    sources: ['blue'],
    epoch: 'e',
    ...parts,
  };
}

describe('drained()', () => {
  test.each([
    { what: 'nothing waits in two looks', previous: aLook(), current: aLook(), is: true },
    { what: 'dead letters are left', previous: aLook({ messages: 3 }), current: aLook({ messages: 3 }), is: true },
    { what: 'one waited before', previous: aLook({ consumer: { pending: 1 } }), current: aLook(), is: false },
    { what: 'one waits now', previous: aLook(), current: aLook({ consumer: { pending: 1 } }), is: false },
    { what: 'one is in work', previous: aLook(), current: aLook({ consumer: { ackPending: 1 } }), is: false },
    { what: 'the stream was made anew between', previous: aLook({ epoch: 'd' }), current: aLook(), is: false },
  ])('is $is when $what', ({ previous, current, is }) => {
    expect(drained(previous, current)).toBe(is);
  });
});

describe('dead()', () => {
  test.each([
    { what: 'what no consumer will get in both looks', messages: [5, 5], pending: [2, 2], is: 3 },
    { what: 'the smaller of both looks', messages: [5, 9], pending: [2, 2], is: 3 },
    { what: 'nothing for a message that arrived between two questions', messages: [1, 0], pending: [0, 0], is: 0 },
    { what: 'nothing when a look counts an acked message still as pending', messages: [1, 1], pending: [2, 2], is: 0 },
  ])('counts $what', ({ messages, pending, is }) => {
    const [previous, current] = [0, 1].map((i) =>
      aLook({ messages: messages[i]!, consumer: { pending: pending[i]! } }),
    );

    expect(dead(previous!, current!)).toBe(is);
  });

  test('is 0 across a stream that was made anew', () => {
    expect(dead(aLook({ messages: 3, epoch: 'd' }), aLook({ messages: 3 }))).toBe(0);
  });
});

test('donePerSec() is what left the lane, whatever came meanwhile, and nothing across a stream that was made anew', () => {
  const before = aLook({ lastSeq: 100, messages: 40 });

  expect(donePerSec(before, aLook({ lastSeq: 300, messages: 90 }), 2_000)).toBe(75);
  expect(donePerSec(before, aLook({ lastSeq: 110, messages: 50 }), 2_000)).toBeUndefined();
  expect(donePerSec(before, aLook({ lastSeq: 300, messages: 0, epoch: 'f' }), 2_000)).toBeUndefined();
});

test('lag() sums what waits and what is in work over all services', () => {
  expect(lag(aLook({ consumer: { pending: 2, ackPending: 3 } }))).toBe(5);
});

test('settledUpTo() is the last delivered message, or the ack floor while something is in work', () => {
  expect(settledUpTo(aConsumer({ deliveredStreamSeq: 9, ackFloorStreamSeq: 4 }))).toBe(9);
  expect(settledUpTo(aConsumer({ ackPending: 1, deliveredStreamSeq: 9, ackFloorStreamSeq: 4 }))).toBe(4);
});
