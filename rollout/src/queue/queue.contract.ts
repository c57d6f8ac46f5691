import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Lane } from '../lane.ts';
import { describeLetters } from './letters.contract.ts';
import type { LaneQueueSeen, WorkQueue } from './queue.ts';

/** Two worker services, as headgate.yaml would name them. */
export const contractServices = {
  proxy: { pulls: [] },
  rating: { pulls: ['get.ratings', 'post.ratings'] },
  mail: { pulls: ['post.mails'] },
};

/** The hands of a proxy and of workers on a queue under test. */
export interface QueueRig extends AsyncDisposable {
  readonly queue: WorkQueue;
  publish(lane: Lane, request: { id: string; subject: string }): Promise<void>;
  /** One parked pull; `undefined` when it ends empty after `withinMs`. */
  take(lane: Lane, service: string, withinMs: number): Promise<Taken | undefined>;
  /** Lets time go by. */
  pass(ms: number): Promise<void>;
  /** Ids in the lane's dead letters, in their order. */
  deadLetters(lane: Lane): Promise<readonly string[]>;
  setReachable(reachable: boolean): Promise<void>;
}

export type Taken = { readonly id: string; settle(how: 'ack' | 'nak'): Promise<void> };

const fenceMs = 1_500;

/** Every implementation of `WorkQueue` passes this, the fake included. `open` gives lanes of an app that nobody used before. */
export function describeWorkQueue(name: string, open: () => Promise<QueueRig>): void {
  describe(`${name} as a WorkQueue`, () => {
    const signal = AbortSignal.timeout(3_600_000);
    let rig: QueueRig;

    beforeEach(async () => {
      rig = await open();
    });

    afterEach(async () => {
      await rig[Symbol.asyncDispose]();
    });

    /** Looks until it is so: what was published or acked arrives a little later, and so does a server that was away. */
    async function seen(lane: Lane, isSo: (look: LaneQueueSeen) => boolean): Promise<LaneQueueSeen> {
      let last = '';
      for (let tries = 0; tries < 300; tries++) {
        const look = await rig.queue.observe(lane, signal).catch((error: Error) => error);
        if (look instanceof Error) last = look.message;
        else if (isSo(look)) return look;
        else last = JSON.stringify(look);
        await rig.pass(10);
      }
      throw new Error(`Not seen within 300 looks: ${last}`);
    }

    test('who claimed it last is who drives', async () => {
      expect(await rig.queue.claimed(signal)).toBe(undefined);
      await rig.queue.claim(7, signal);
      await rig.queue.claim(12, signal);
      await rig.queue.claim(3, signal); // Of a journal that was made anew.
      expect(await rig.queue.claimed(signal)).toBe(3);
    });

    async function publish(lane: Lane, subject: string, ...ids: readonly string[]): Promise<void> {
      const before = await rig.queue.observe(lane, signal);
      for (const id of ids) await rig.publish(lane, { id, subject });
      await seen(lane, (look) => look.messages === before.messages + ids.length);
    }

    test('observe() of an unused lane sees nothing waiting, no fence, and its own source', async () => {
      const look = await rig.queue.observe('blue', signal);

      expect(look).toMatchObject({ messages: 0, oldestAgeMs: 0, sources: ['blue'] });
      expect(Object.keys(look.consumers).sort()).toEqual(['mail', 'rating']);
      expect(look.consumers['rating']).toEqual({
        pending: 0,
        ackPending: 0,
        waiting: 0,
        deliveredConsumerSeq: 0,
        deliveredStreamSeq: 0,
        ackFloorStreamSeq: 0,
        ackWaitMs: 10_000,
        fencedMs: 0,
      });
    });

    test('observe() tells services apart, pending from in work, and forgets what was acked', async () => {
      await publish('blue', 'get.ratings', 'a', 'b');
      await publish('blue', 'post.mails', 'c');
      const taken = await rig.take('blue', 'rating', 1_000);

      const inWork = await seen('blue', (look) => look.consumers['rating']?.ackPending === 1);
      await taken!.settle('ack');
      const acked = await seen('blue', (look) => look.messages === 2);

      expect(taken!.id).toBe('a');
      expect(inWork.consumers).toMatchObject({ rating: { pending: 1, deliveredStreamSeq: 1 }, mail: { pending: 1 } });
      expect(acked.consumers['rating']).toMatchObject({ pending: 1, ackPending: 0, ackFloorStreamSeq: 1 });
      expect(await rig.queue.observe('green', signal)).toMatchObject({ messages: 0 });
    });

    test('observe() ages the oldest message', async () => {
      await publish('blue', 'get.ratings', 'a');
      await rig.pass(300);

      const { oldestAgeMs } = await rig.queue.observe('blue', signal);

      expect(oldestAgeMs).toBeGreaterThanOrEqual(250);
      expect(oldestAgeMs).toBeLessThan(10_000);
    });

    test.each([{ sources: ['blue', 'green'] as const }, { sources: [] }, { sources: ['green'] as const }])(
      'setSources() puts $sources for one lane only, and again',
      async ({ sources }) => {
        await rig.queue.setSources('green', sources, signal);
        await rig.queue.setSources('green', sources, signal);

        expect((await rig.queue.observe('green', signal)).sources).toEqual(sources);
        expect((await rig.queue.observe('blue', signal)).sources).toEqual(['blue']);

        await rig.queue.setSources('green', ['green'], signal);
        expect((await rig.queue.observe('green', signal)).sources).toEqual(['green']);
      },
    );

    test('fence() holds this lane, not the other, until it lapses by itself', async () => {
      const fenced = await rig.queue.fence('green', fenceMs, signal);
      await publish('green', 'get.ratings', 'held');
      await publish('blue', 'get.ratings', 'free');

      const look = await rig.queue.observe('green', signal);
      const free = await rig.take('blue', 'rating', 1_000);
      const early = await rig.take('green', 'rating', fenceMs / 3);
      const late = await rig.take('green', 'rating', 2 * fenceMs);

      expect(fenced.kind === 'fenced' && fenced.remainingMs > 0 && fenced.remainingMs <= fenceMs).toBe(true);
      expect(look.consumers['rating']?.fencedMs).toBeGreaterThan(0);
      expect(look.consumers['mail']?.fencedMs).toBeGreaterThan(0);
      expect(free?.id).toBe('free');
      expect(early).toBeUndefined();
      expect(late?.id).toBe('held');
    });

    test('fence() again moves the end', async () => {
      await rig.queue.fence('green', fenceMs, signal);
      await publish('green', 'get.ratings', 'held');
      await rig.pass(fenceMs / 2);
      await rig.queue.fence('green', fenceMs, signal);

      expect(await rig.take('green', 'rating', (fenceMs * 3) / 4)).toBeUndefined();
      expect((await rig.queue.observe('green', signal)).messages).toBe(1);
    });

    test('unfence() wakes a parked pull, and leaves no fence', async () => {
      await rig.queue.fence('green', 60_000, signal);
      await publish('green', 'get.ratings', 'held');
      const parked = rig.take('green', 'rating', 5_000);

      await rig.queue.unfence('green', signal);

      expect((await parked)?.id).toBe('held');
      expect((await rig.queue.observe('green', signal)).consumers['rating']?.fencedMs).toBe(0);
    });

    test('unfence() of a lane that has no fence makes none', async () => {
      await publish('green', 'get.ratings', 'a');

      await rig.queue.unfence('green', signal);

      expect((await rig.queue.observe('green', signal)).consumers['rating']?.fencedMs).toBe(0);
      expect((await rig.take('green', 'rating', 1_000))?.id).toBe('a');
    });

    describeLetters({ rig: () => rig, seen, publish });

    test('no command changes the epoch', async () => {
      const before = await rig.queue.observe('green', signal);

      await rig.queue.setSources('green', [], signal);
      await rig.queue.fence('green', fenceMs, signal);
      await rig.queue.unfence('green', signal);
      await rig.queue.disposeDead('green', 10, signal);
      await rig.queue.answerLeft('green', 10, signal);

      expect((await rig.queue.observe('green', signal)).epoch).toBe(before.epoch);
    });

    test('every call throws QUEUE_UNREACHABLE while the server is away, and works when it is back', async () => {
      await rig.setReachable(false);

      const calls = [
        rig.queue.observe('blue', signal),
        rig.queue.setSources('blue', [], signal),
        rig.queue.fence('blue', fenceMs, signal),
        rig.queue.unfence('blue', signal),
        rig.queue.disposeDead('blue', 1, signal),
        rig.queue.answerLeft('blue', 1, signal),
      ];
      const settled = await Promise.allSettled(calls);
      await rig.setReachable(true);

      expect(settled.map((one) => (one.status === 'rejected' ? one.reason.code : 'done'))).toEqual(
        calls.map(() => 'QUEUE_UNREACHABLE'),
      );
      await seen('blue', (look) => look.messages === 0);
    });

    test('a call with an aborted signal does nothing and throws its reason', async () => {
      const reason = new Error('the driver stops');

      await expect(rig.queue.setSources('green', [], AbortSignal.abort(reason))).rejects.toBe(reason);
      expect((await rig.queue.observe('green', signal)).sources).toEqual(['green']);
    });
  });
}
