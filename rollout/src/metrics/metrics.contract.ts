import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Lane, lanes } from '../lane.ts';
import { difference } from './difference.ts';
import type { LaneTotals, Metrics, Totals } from './metrics.ts';

type Outcome = 'passed' | 'failed' | 'refused';

/** Metrics under test, and the requests that they shall count. */
export interface MetricsRig extends AsyncDisposable {
  readonly metrics: Metrics;
  /** Resolves when the request is over for both sides. */
  request(lane: Lane, way: keyof LaneTotals, outcome: Outcome): Promise<void>;
  /** Counters begin anew. */
  restart(): Promise<void>;
}

const ways = ['weighted', 'pinned'] as const;
const one: Readonly<Record<Outcome, Totals>> = {
  passed: { requests: 1, failed: 0, refused: 0 },
  failed: { requests: 1, failed: 1, refused: 0 },
  refused: { requests: 1, failed: 0, refused: 1 },
};
const none: Totals = { requests: 0, failed: 0, refused: 0 };
const nothing = { blue: { weighted: none, pinned: none }, green: { weighted: none, pinned: none } };

/** What an implementation cannot do, with its reason. */
export type Cannot = {
  /** Pinned requests are counted among the weighted ones. */
  readonly tellPinned?: string;
};

/** Every implementation of `Metrics` passes this, the fake included. */
export function describeMetrics(name: string, open: () => Promise<MetricsRig>, cannot: Cannot = {}): void {
  const countedAs = (way: keyof LaneTotals): keyof LaneTotals => (cannot.tellPinned === undefined ? way : 'weighted');
  describe(`${name} as Metrics`, () => {
    let rig: MetricsRig;
    const observe = () => rig.metrics.observe(AbortSignal.timeout(10_000));

    beforeEach(async () => {
      rig = await open();
    });
    afterEach(async () => {
      await rig[Symbol.asyncDispose]();
    });

    test('observe() counts each answered request once, for its lane and its way', async () => {
      let before = await observe();
      for (const lane of lanes) {
        for (const way of ways) {
          for (const outcome of ['passed', 'failed', 'refused'] as const) {
            await rig.request(lane, way, outcome);
            const after = await observe();

            expect(difference(before, after)).toEqual({
              ...nothing,
              [lane]: { ...nothing[lane], [countedAs(way)]: one[outcome] },
            });
            before = after;
          }
        }
      }
    });

    test('observe() counts nothing by itself, in one epoch', async () => {
      await rig.request('blue', 'weighted', 'failed');
      const before = await observe();
      const after = await observe();

      expect(after.epoch).toBe(before.epoch);
      expect(difference(before, after)).toEqual(nothing);
    });

    test('counters that begin anew are another epoch', async () => {
      const before = await observe();
      await rig.restart();
      const after = await observe();

      expect(after.epoch).not.toBe(before.epoch);
      expect(difference(before, after)).toBeUndefined();
    });

    test('observe() with an aborted signal ends', async () => {
      await expect(rig.metrics.observe(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    });
  });
}
