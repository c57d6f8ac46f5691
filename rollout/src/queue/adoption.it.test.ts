import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Lane } from '../lane.ts';
import { otherLane } from '../lane.ts';
import { identities, makeForeign, type NatsRig, startNatsRig } from './jetstream.rig.ts';
import { openJetStreamQueue } from './jetstream.ts';
import type { QueueApp } from './names.ts';
import type { LaneQueueSeen, WorkQueue } from './queue.ts';
import { drained } from './seen.ts';
import { openClient, startWorker, type WorkerRig } from './worker.rig.ts';

/** The way back, as the engine goes it step by step, by workers that follow the source list. */

const services = { rating: { pulls: ['get.ratings', 'post.ratings'] } };
const signal = AbortSignal.timeout(3_600_000);
let rig: NatsRig;

beforeAll(async () => {
  rig = await startNatsRig();
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    if (tries === 1_000) throw new Error('Not so within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function untilDrained(queue: WorkQueue, lane: Lane): Promise<void> {
  let previous: LaneQueueSeen | undefined;
  await eventually(async () => {
    const current = await queue.observe(lane, signal);
    const done = previous !== undefined && drained(previous, current);
    previous = current;
    return done;
  });
}

/** Which lane's workers applied each request, in order. */
class Effects {
  readonly by = new Map<string, Lane[]>();

  worker(app: QueueApp, lane: Lane, handlerMs: number): Promise<WorkerRig> {
    return startWorker(rig.nats, { ...app, lane, service: 'rating' }, async (id, subject) => {
      expect(services.rating.pulls).toContain(subject); // Whatever lane it came from.
      await new Promise((resolve) => setTimeout(resolve, handlerMs));
      this.by.set(id, [...(this.by.get(id) ?? []), lane]);
    });
  }

  count(lane: Lane): number {
    return [...this.by.values()].filter((lanes) => lanes.includes(lane)).length;
  }
}

/** Steps 2 to 6 and 10 of the way back, without the traffic and the pods. */
async function adopt(
  queue: WorkQueue,
  { candidate, stop, fenced }: { candidate: Lane; stop: () => Promise<void>; fenced: () => void },
): Promise<void> {
  const live = otherLane(candidate);
  await queue.setSources(candidate, [], signal);
  expect(await queue.fence(candidate, 15_000, signal)).toMatchObject({ kind: 'fenced' });
  await stop();
  fenced();
  await queue.setSources(live, [live, candidate], signal);
  await queue.fence(candidate, 15_000, signal); // The engine renews it each tick until the candidate is gone.
  await queue.unfence(candidate, signal);
  await untilDrained(queue, candidate);
  await queue.setSources(live, [live], signal);
}

const ids = (name: string, count: number): readonly string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

/** An app whose lane blue is what `existing` says. */
type Lanes = QueueApp & AsyncDisposable & { readonly queue: WorkQueue };

async function ours(): Promise<Lanes> {
  const app = await rig.freshApp(services);
  return opened({ app, existing: undefined }, async () => {});
}

async function withForeign(): Promise<Lanes> {
  const foreign = await makeForeign(rig.nats);
  await foreign.edit({ retention: 'interest' });
  const app = await rig.freshApp(services, foreign);
  return opened({ app, existing: foreign }, async () => foreign[Symbol.asyncDispose]());
}

function opened(app: QueueApp, clear: () => Promise<void>): Lanes {
  const queue = openJetStreamQueue({ ...app, services, url: rig.server.url });
  return {
    ...app,
    queue,
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]();
      await clear();
    },
  };
}

describe.each([
  { of: 'two lanes of ours', open: ours, candidate: 'green' },
  { of: 'a lane of ours into one that was there before', open: withForeign, candidate: 'green' },
  { of: 'a lane that was there before into one of ours', open: withForeign, candidate: 'blue' },
] as const)('adoption by source list, $of', ({ open, candidate: bad }) => {
  const good = otherLane(bad);
  test('answers a backlog of 300 requests once each while live serves on, and no version sees what is the other one’s', async () => {
    await using app = await open();
    const { queue } = app;
    const client = openClient(rig.nats, app);
    const effects = new Effects();
    const live = await effects.worker(app, good, 1);
    const candidate = await effects.worker(app, bad, 50);
    client.send(bad, ids('candidate', 300));
    client.send(good, ids('live', 100));
    await eventually(() => effects.count(bad) >= 8);
    let done = 0;

    await adopt(queue, {
      candidate: bad,
      stop: () => candidate.stop(),
      fenced: () => {
        done = effects.count(bad);
        expect([...effects.by].filter(([id, lanes]) => id.startsWith('candidate') && lanes.includes(good))).toEqual([]);
        client.send(bad, ids('late', 20), 'post.ratings');
      },
    });
    await eventually(() => client.answers.size === 420);
    await live.stop();

    expect([...effects.by.values()].every((lanes) => lanes.length === 1)).toBe(true);
    expect([...client.answers.values()].every((answers) => answers.length === 1)).toBe(true);
    expect(done).toBeGreaterThanOrEqual(8);
    expect(done).toBeLessThan(180);
    expect([effects.count(bad), effects.count(good)]).toEqual([done, 420 - done]);
  });

  test('leaves configs and created-times of both streams and consumers as they were, after ten releases', async () => {
    await using app = await open();
    const { queue } = app;
    const client = openClient(rig.nats, app);
    const effects = new Effects();
    const before = await identities(rig.nats, app);

    for (let release = 0; release < 10; release++) {
      const candidate: Lane = release % 2 === 0 ? 'green' : 'blue';
      await queue.setSources(candidate, [candidate], signal);
      const live = await effects.worker(app, otherLane(candidate), 0);
      const bad = await effects.worker(app, candidate, 5);
      client.send(candidate, ids(`${release}-`, 20));
      await adopt(queue, { candidate, stop: () => bad.stop(), fenced: () => {} });
      await live.stop();
    }
    await eventually(() => client.answers.size === 200);

    expect(await identities(rig.nats, app)).toEqual(before);
    expect([...effects.by.values()].filter((lanes) => lanes.length !== 1)).toEqual([]);
  });
});
