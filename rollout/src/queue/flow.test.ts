import { describe, expect, test } from '@jest/globals';
import { type Done, type Flow, type FlowBook, flow } from './flow.ts';
import type { LaneQueueSeen } from './queue.ts';

const maxAgeMs = 120_000;

/** A lane with one consumer. `firsts`: messages that were delivered for the first time. */
function aLook(given: Readonly<Record<string, number>>, epoch = 'e'): LaneQueueSeen {
  const { arrived = 0, messages = 0, pending = 0, ackPending = 0, oldestAgeMs = 0 } = given;
  const { delivered = arrived - pending, firsts = arrived - pending } = given;
  const consumer = {
    pending,
    ackPending,
    waiting: 1,
    deliveredConsumerSeq: delivered,
    deliveredStreamSeq: firsts,
    ackFloorStreamSeq: 0,
    ackWaitMs: 10_000,
    fencedMs: 0,
  };
  return {
    messages,
    lastSeq: arrived,
    oldestAgeMs,
    maxAgeMs,
    consumers: { rating: consumer },
    sources: ['blue'],
    epoch,
  };
}

function readings(...looks: (readonly [LaneQueueSeen, Partial<Done>])[]): readonly (Flow | undefined)[] {
  let book: FlowBook | undefined;
  return looks.map(([seen, done]) => {
    const told = flow(book, seen, { acked: 0, terminated: 0, ...done });
    book = told.book;
    return told.flow;
  });
}

const sumOf = (flows: readonly (Flow | undefined)[], field: keyof Flow) =>
  flows.reduce((sum, one) => sum + (one?.[field] ?? 0), 0);

describe('flow()', () => {
  test('the first look is only a mark, and so is one at a stream that was made anew', () => {
    const [first, , anew, after] = readings(
      [aLook({ arrived: 100 }), {}],
      [aLook({ arrived: 110 }), { acked: 10 }],
      [aLook({ arrived: 3 }, 'f'), { acked: 3 }],
      [aLook({ arrived: 8 }, 'f'), { acked: 5 }],
    );

    expect(first).toBeUndefined();
    expect(anew).toBeUndefined();
    expect(after).toMatchObject({ arrived: 5, acked: 5, expired: 0, redelivered: 0 });
  });

  test('a sequence that fell is a stream that began anew', () => {
    expect(readings([aLook({ arrived: 100 }), {}], [aLook({ arrived: 3 }), {}])[1]).toBeUndefined();
  });

  test('tells what came, what was done and what waits', () => {
    const [, told] = readings(
      [aLook({}), {}],
      [aLook({ arrived: 50, messages: 12, pending: 4, ackPending: 8 }), { acked: 38 }],
    );

    expect(told).toEqual({
      arrived: 50,
      acked: 38,
      expired: 0,
      backlog: 12,
      delivered: 46,
      redelivered: 0,
      dropped: 0,
    });
  });

  test('messages that expire unprocessed are dropped and never acked', () => {
    const flows = readings(
      [aLook({}), {}],
      [aLook({ arrived: 40, messages: 30, pending: 30, oldestAgeMs: 115_000 }), { acked: 10 }],
      [aLook({ arrived: 40, messages: 5, pending: 5, firsts: 10, delivered: 10, oldestAgeMs: 119_000 }), {}],
    );

    expect(flows[2]).toMatchObject({ acked: 0, expired: 25, dropped: 25, backlog: 5 });
  });

  test('acks that a dying worker never told are no expiry while no message is old enough', () => {
    const flows = readings(
      [aLook({}), {}],
      [aLook({ arrived: 40 }), { acked: 33 }], // 7 were acked by a worker that died before anybody asked it.
      [aLook({ arrived: 60, messages: 20, pending: 20, oldestAgeMs: 118_000 }), {}],
      [aLook({ arrived: 60, messages: 18, pending: 18, firsts: 40, delivered: 40, oldestAgeMs: 119_900 }), {}],
    );

    expect(sumOf(flows, 'expired')).toBe(2);
  });

  test('acks that are told a moment before the look shows them are no expiry either', () => {
    const flows = readings(
      [aLook({}), {}],
      [aLook({ arrived: 40, messages: 3 }), { acked: 40 }],
      [aLook({ arrived: 80 }), { acked: 40 }],
    );

    expect(sumOf(flows, 'expired')).toBe(0);
    expect(sumOf(flows, 'acked')).toBe(80);
  });

  test('tells each redelivery once', () => {
    const flows = readings(
      [aLook({}), {}],
      [aLook({ arrived: 20, delivered: 26, firsts: 20 }), { acked: 20 }],
      [aLook({ arrived: 30, delivered: 36, firsts: 30 }), { acked: 10 }],
    );

    expect(flows.slice(1).map((one) => one?.redelivered)).toEqual([6, 0]);
  });

  test('tells messages that are given up, by a worker or by the queue', () => {
    const flows = readings(
      [aLook({}), {}],
      [aLook({ arrived: 20, messages: 4 }), { acked: 14, terminated: 2 }],
      [aLook({ arrived: 20, messages: 4 }), {}],
      [aLook({ arrived: 20, messages: 4 }), {}],
    );

    expect(flows.slice(1).map((one) => one?.dropped)).toEqual([2, 4, 0]);
  });
});
