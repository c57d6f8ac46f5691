import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { openMemoryQueue } from './memory.ts';
import { contractServices, describeWorkQueue, type QueueRig } from './queue.contract.ts';

const stepMs = 10;

/** Time goes by only where a test lets it. */
async function openRig(): Promise<QueueRig> {
  let nowMs = 1_000;
  const queue = openMemoryQueue({ services: contractServices, now: () => instant(nowMs) });
  return {
    queue,
    async publish(lane, request) {
      queue.publish(lane, request);
    },
    async take(lane, service, withinMs) {
      for (let waitedMs = 0; waitedMs <= withinMs; waitedMs += stepMs, nowMs += stepMs) {
        const delivery = queue.take(lane, service);
        if (delivery !== undefined) return { id: delivery.id, settle: async (how) => queue.settle(delivery, how) };
        await turn();
      }
      return undefined;
    },
    async pass(ms) {
      nowMs += ms;
    },
    async deadLetters(lane) {
      return queue.deadLetters(lane);
    },
    async setReachable(reachable) {
      queue.setReachable(reachable);
    },
    async [Symbol.asyncDispose]() {},
  };
}

describeWorkQueue('memory', openRig);

describe('openMemoryQueue()', () => {
  const signal = AbortSignal.timeout(60_000);

  function open() {
    const clock = { ms: 0 };
    return { clock, queue: openMemoryQueue({ services: contractServices, now: () => instant(clock.ms) }) };
  }

  test('delivers again what was not acked in 10 s, and drops what is older than 2 min', async () => {
    const { clock, queue } = open();
    queue.publish('blue', { id: 'a', subject: 'get.ratings' });

    expect(queue.take('blue', 'rating')?.attempt).toBe(1);
    clock.ms = 9_999;
    expect(queue.take('blue', 'rating')).toBeUndefined();
    clock.ms = 10_000;
    expect(queue.take('blue', 'rating')?.attempt).toBe(2);
    clock.ms = 120_000;
    expect((await queue.observe('blue', signal)).messages).toBe(0);
  });

  test('shows parked pulls', async () => {
    const { queue } = open();

    queue.park('blue', 'rating', 3);

    expect((await queue.observe('blue', signal)).consumers).toMatchObject({
      rating: { waiting: 3 },
      mail: { waiting: 0 },
    });
  });
});
