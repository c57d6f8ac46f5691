import { expect, test } from '@jest/globals';
import type { Lane } from '../lane.ts';
import type { QueueRig } from './queue.contract.ts';
import { type LaneQueueSeen, lettersMax } from './queue.ts';
import { dead, drained } from './seen.ts';

/** Of a contract under way. */
type Hands = {
  readonly rig: () => QueueRig;
  readonly seen: (lane: Lane, isSo: (look: LaneQueueSeen) => boolean) => Promise<LaneQueueSeen>;
  readonly publish: (lane: Lane, subject: string, ...ids: readonly string[]) => Promise<void>;
};

/** What every `WorkQueue` does with messages that no worker will answer. */
export function describeLetters({ rig, seen, publish }: Hands): void {
  const signal = AbortSignal.timeout(3_600_000);

  async function nakUntilDead(lane: Lane, service: string): Promise<void> {
    for (let attempt = 1; attempt <= 5; attempt++) await (await rig().take(lane, service, 1_000))!.settle('nak');
    await rig().take(lane, service, 50); // The server gives a message up when it would deliver it once more.
    await seen(lane, (look) => look.consumers[service]?.ackPending === 0);
  }

  test('disposeDead() removes what was given up once nothing is in work, and nothing that waits', async () => {
    await publish('green', 'get.ratings', 'poison');
    await nakUntilDead('green', 'rating');
    const looks = [await rig().queue.observe('green', signal), await rig().queue.observe('green', signal)] as const;
    await publish('green', 'get.ratings', 'in work', 'waiting');
    await publish('green', 'post.mails', 'of another service');
    const taken = await rig().take('green', 'rating', 1_000);

    const early = await rig().queue.disposeDead('green', 100, signal);
    await taken!.settle('ack');
    await seen('green', (look) => look.messages === 3);
    const disposed = await rig().queue.disposeDead('green', 100, signal);
    const again = await rig().queue.disposeDead('green', 100, signal);

    expect(drained(...looks)).toBe(true);
    expect(dead(...looks)).toBe(1);
    expect(taken?.id).toBe('in work');
    expect([early, disposed, again]).toEqual([0, 1, 0]);
    expect(await rig().deadLetters('green')).toEqual(['poison']);
    expect((await rig().queue.observe('green', signal)).messages).toBe(2);
  });

  test('disposeDead() leaves alone what died after the bound', async () => {
    await publish('green', 'get.ratings', 'first');
    await nakUntilDead('green', 'rating');
    const bound = (await rig().queue.observe('green', signal)).consumers['rating']!.deliveredStreamSeq;
    await publish('green', 'get.ratings', 'second');
    await nakUntilDead('green', 'rating');

    expect(await rig().queue.disposeDead('green', bound, signal)).toBe(1);
    expect(await rig().deadLetters('green')).toEqual(['first']);
    expect((await rig().queue.observe('green', signal)).messages).toBe(1);
  });

  test('answerLeft() takes away what waits and what is in work, of all services and behind a fence, up to the bound', async () => {
    await publish('green', 'get.ratings', 'in work', 'waits');
    await publish('green', 'post.mails', 'of another service');
    const taken = await rig().take('green', 'rating', 1_000);
    await rig().queue.fence('green', 60_000, signal);
    const { lastSeq } = await rig().queue.observe('green', signal);
    await publish('green', 'get.ratings', 'late');

    const answered = await rig().queue.answerLeft('green', lastSeq, signal);
    const again = await rig().queue.answerLeft('green', lastSeq, signal);

    expect(taken?.id).toBe('in work');
    expect([answered, again]).toEqual([3, 0]);
    expect(await rig().deadLetters('green')).toEqual(['in work', 'waits', 'of another service']);
    expect(await rig().deadLetters('blue')).toEqual([]);
    const left = await seen('green', (look) => look.consumers['rating']?.ackPending === 0);
    expect(left).toMatchObject({ messages: 1, consumers: { rating: { pending: 1 }, mail: { pending: 0 } } });
    await taken!.settle('ack'); // From a worker that comes to itself too late.
    await rig().queue.unfence('green', signal);
    expect((await rig().take('green', 'rating', 1_000))?.id).toBe('late');
  });

  test('answerLeft() answers no more than lettersMax in one call, the oldest first', async () => {
    const ids = Array.from({ length: lettersMax + 5 }, (_, i) => `m${i}`);
    await publish('green', 'get.ratings', ...ids);

    const answered = [
      await rig().queue.answerLeft('green', ids.length, signal),
      await rig().queue.answerLeft('green', ids.length, signal),
    ];

    expect(answered).toEqual([lettersMax, 5]);
    expect(await rig().deadLetters('green')).toEqual(ids);
    await seen('green', (look) => look.messages === 0);
  });
}
