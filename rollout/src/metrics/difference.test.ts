import { describe, expect, test } from '@jest/globals';
import { difference } from './difference.ts';
import type { MetricsSeen, Totals } from './metrics.ts';

const totals = (requests: number, failed = 0, refused = 0): Totals => ({ requests, failed, refused });
const none = { weighted: totals(0), pinned: totals(0) };
const seen = (weighted: Totals, pinned = totals(0), epoch = 'one'): MetricsSeen => ({
  epoch,
  lanes: { blue: { weighted, pinned }, green: none },
});

describe('difference()', () => {
  test('gives what was counted in between, apart for each lane and way', () => {
    const counts = difference(seen(totals(10, 2, 1), totals(3)), seen(totals(15, 3, 1), totals(5, 1)));

    expect(counts).toEqual({ blue: { weighted: totals(5, 1, 0), pinned: totals(2, 1, 0) }, green: none });
  });

  test('of a sight with itself is nothing', () => {
    expect(difference(seen(totals(10, 2, 1)), seen(totals(10, 2, 1)))).toEqual({ blue: none, green: none });
  });

  test.each([
    { what: 'another epoch', after: seen(totals(20), totals(3), 'two') },
    { what: 'fewer requests', after: seen(totals(9, 2, 1), totals(3)) },
    { what: 'fewer failed', after: seen(totals(20, 1, 1), totals(3)) },
    { what: 'fewer refused', after: seen(totals(20, 2, 0), totals(3)) },
    { what: 'fewer pinned', after: seen(totals(20, 2, 1), totals(2)) },
  ])('knows nothing after $what', ({ after }) => {
    expect(difference(seen(totals(10, 2, 1), totals(3)), after)).toBeUndefined();
  });
});
