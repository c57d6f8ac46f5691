import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Lane } from '../lane.ts';
import type { Revision } from '../revision.ts';
import type { LaneSeen, Workload } from './workload.ts';

/** An app with a proxy `proxy`, which has a probe, and a worker `rating`. */
export type WorkloadRig = AsyncDisposable & {
  readonly workload: Workload;
  /** Two sound revisions. */
  readonly sound: readonly [Revision, Revision];
  /** Its worker says "no table" and ends with exit code 3 soon after its start; its proxy is sound. */
  readonly crashing: Revision;
  /** Its worker's image does not exist; its proxy is sound. */
  readonly imageless: Revision;
};

const one = { proxy: 1, rating: 1 };
const none = { proxy: 0, rating: 0 };

export function describeWorkload(name: string, open: () => Promise<WorkloadRig>): void {
  describe(`${name} as a Workload`, () => {
    let rig: WorkloadRig;
    let signal: AbortSignal;

    const until = async (lane: Lane, holds: (seen: LaneSeen) => boolean): Promise<LaneSeen> => {
      const deadline = Date.now() + 15_000;
      for (;;) {
        const seen = await rig.workload.observe(lane, signal);
        if (holds(seen)) return seen;
        if (Date.now() > deadline) throw new Error(`it never came to that: ${JSON.stringify(seen)}`);
        await sleep(25);
      }
    };
    const ready = (revision: Revision, n: number) => (seen: LaneSeen) =>
      seen.revision === revision.id &&
      ['proxy', 'rating'].every(
        (service) => seen.services[service]?.ready === n && seen.services[service].present === n,
      );
    const gone = (seen: LaneSeen) => Object.values(seen.services).every(({ present }) => present === 0);

    beforeAll(async () => {
      rig = await open();
      signal = AbortSignal.timeout(120_000);
    });

    afterAll(async () => {
      await rig?.[Symbol.asyncDispose]();
    });

    test('a lane that was never set has no revision and no service', async () => {
      const { labels, ...seen } = await rig.workload.observe('green', signal);

      expect(seen).toEqual({ revision: undefined, autoscaler: 'none', services: {} });
      expect(labels?.role).toBeUndefined();
      expect(await rig.workload.probe('green', signal)).toMatchObject({ kind: 'unanswered' });
    });

    test('setRevision() alone starts nothing', async () => {
      await rig.workload.setRevision('blue', rig.sound[0], signal);

      const seen = await rig.workload.observe('blue', signal);

      expect(seen.revision).toBe(rig.sound[0].id);
      expect(seen.services['proxy']).toEqual({ wanted: 0, ready: 0, present: 0, stale: 0, failure: undefined });
    });

    test('scale() brings every service up, and a probe is answered by this lane and revision', async () => {
      await rig.workload.scale('blue', one, signal);

      const seen = await until('blue', ready(rig.sound[0], 1));

      expect(seen.services['rating']).toEqual({ wanted: 1, ready: 1, present: 1, stale: 0, failure: undefined });
      expect(await rig.workload.probe('blue', signal)).toEqual({
        kind: 'answered',
        status: 200,
        lane: 'blue',
        revision: rig.sound[0].id,
      });
    });

    test('a repeated command changes nothing', async () => {
      await rig.workload.setRevision('blue', rig.sound[0], signal);
      await rig.workload.scale('blue', one, signal);

      expect(ready(rig.sound[0], 1)(await rig.workload.observe('blue', signal))).toBe(true);
    });

    test('label() is what observe() says of that lane until there is another, where the platform shows it, and restarts nothing', async () => {
      const before = await rig.workload.observe('green', signal);
      await rig.workload.label('blue', { role: 'candidate', release: 7 }, signal);

      const seen = await rig.workload.observe('blue', signal);

      expect(seen.labels).toEqual(before.labels && { role: 'candidate', release: 7 });
      expect(ready(rig.sound[0], 1)(seen)).toBe(true);
      await rig.workload.label('blue', { role: 'live', release: undefined }, signal);
      expect((await rig.workload.observe('blue', signal)).labels).toEqual(
        before.labels && { role: 'live', release: undefined },
      );
      expect(await rig.workload.observe('green', signal)).toEqual(before);
    });

    test('a smaller number takes no capacity away', async () => {
      await rig.workload.scale('blue', { proxy: 2 }, signal);
      await until('blue', ({ services }) => services['proxy']?.ready === 2);

      await rig.workload.scale('blue', one, signal);

      expect((await rig.workload.observe('blue', signal)).services['proxy']).toMatchObject({ wanted: 2, ready: 2 });
    });

    test('keep() and letGo() change no size by themselves', async () => {
      await rig.workload.keep('blue', { proxy: 3, rating: 3 }, signal);
      await rig.workload.letGo('blue', signal);

      expect(await rig.workload.observe('blue', signal)).toMatchObject({
        autoscaler: 'none',
        services: { proxy: { wanted: 2, ready: 2 } },
      });
    });

    test('setWorkers() gives the lane workers of another revision beside its own proxies, until setRevision()', async () => {
      await rig.workload.setRevision('green', rig.crashing, signal);
      await rig.workload.scale('green', one, signal);
      await until('green', ({ services }) => services['rating']?.failure !== undefined);
      await rig.workload.scale('green', { rating: 0 }, signal);
      await until('green', ({ services }) => services['rating']?.present === 0 && services['proxy']?.ready === 1);

      await rig.workload.setWorkers('green', rig.sound[1], signal);
      await rig.workload.scale('green', { rating: 1 }, signal);
      const lent = await until('green', ({ services }) => services['rating']?.ready === 1);

      expect(lent.revision).toBeUndefined();
      expect(lent.services['proxy']).toMatchObject({ ready: 1, present: 1, stale: 0 });
      expect(lent.services['rating']).toEqual({ wanted: 1, ready: 1, present: 1, stale: 0, failure: undefined });
      expect(await rig.workload.probe('green', signal)).toMatchObject({ lane: 'green', revision: rig.crashing.id });

      await rig.workload.setRevision('green', rig.sound[1], signal);
      await until('green', ready(rig.sound[1], 1));
      await rig.workload.scale('green', none, signal);
      await until('green', gone);
    });

    test('setRevision() replaces the instances of another revision, in this lane only', async () => {
      await rig.workload.setRevision('green', rig.sound[0], signal);
      await rig.workload.scale('green', one, signal);
      await until('green', ready(rig.sound[0], 1));

      await rig.workload.setRevision('green', rig.sound[1], signal);

      const seen = await until('green', ready(rig.sound[1], 1));
      expect(seen.services['proxy']).toMatchObject({ stale: 0 });
      expect(await rig.workload.probe('green', signal)).toMatchObject({ lane: 'green', revision: rig.sound[1].id });
      expect(await rig.workload.observe('blue', signal)).toMatchObject({ revision: rig.sound[0].id });
      expect((await rig.workload.observe('blue', signal)).services['proxy']).toMatchObject({ ready: 2, stale: 0 });
    });

    test('scale() to 0 ends them all, and nobody answers the probe', async () => {
      await rig.workload.scale('green', none, signal);

      await until('green', gone);

      expect(await rig.workload.probe('green', signal)).toMatchObject({ kind: 'unanswered' });
    });

    test('a crash is a failure with the last log lines, until another revision is set', async () => {
      await rig.workload.setRevision('green', rig.crashing, signal);
      await rig.workload.scale('green', one, signal);

      const seen = await until('green', ({ services }) => services['rating']?.failure !== undefined);

      expect(seen.services['rating']?.failure).toMatchObject({
        reason: 'crash',
        message: expect.stringContaining('exit code 3'),
      });
      expect(seen.services['rating']?.failure?.logLines).toContain('no table');
      await until('green', ({ services }) => services['proxy']?.ready === 1);
      await rig.workload.setRevision('green', rig.sound[0], signal);
      expect((await until('green', ready(rig.sound[0], 1))).services['rating']?.failure).toBeUndefined();
    });

    test('an image that cannot be had is a failure', async () => {
      await rig.workload.setRevision('green', rig.imageless, signal);

      const seen = await until('green', ({ services }) => services['rating']?.failure !== undefined);

      expect(seen.services['rating']).toMatchObject({ ready: 0, failure: { reason: 'image' } });
    });
  });
}
