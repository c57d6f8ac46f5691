import { describe, expect, test } from '@jest/globals';
import { grow, type ProcessBook } from './growth.ts';
import type { ProcessSeen, Series } from './processes.ts';

const up = (id: string, series: Series | undefined): ProcessSeen => ({ id, ready: true, series });
const green = [up('g', { latency: 5 })];

/** What blue's processes counted at each reading after the first; `undefined` for one that is not whole. */
function readings(...blue: (readonly ProcessSeen[])[]): readonly (Series | undefined)[] {
  let book: ProcessBook | undefined;
  return blue
    .map((processes) => {
      const grown = grow(book, { blue: processes, green }, 1_000);
      book = grown?.book ?? book;
      return grown?.lanes?.blue;
    })
    .slice(1);
}

describe('grow()', () => {
  test('the first reading is only a mark', () => {
    expect(grow(undefined, { blue: [up('a', { latency: 9 })], green }, 1_000)?.lanes).toBeUndefined();
  });

  test('adds what all processes of a lane counted', () => {
    const grown = readings(
      [up('a', { latency: 10, 'latency/3': 10 }), up('b', { latency: 1 })],
      [up('a', { latency: 14, 'latency/3': 13, 'latency/9': 1 }), up('b', { latency: 3 })],
    );

    expect(grown).toEqual([{ latency: 6, 'latency/3': 3, 'latency/9': 1 }]);
  });

  test('a reading that misses a ready process is none, and the next one brings what it would have', () => {
    const grown = readings(
      [up('a', { latency: 10 }), up('b', { latency: 1 })],
      [up('a', { latency: 20 }), up('b', undefined)],
      [up('a', { latency: 30 }), up('b', { latency: 4 })],
    );

    expect(grown).toEqual([undefined, { latency: 23 }]);
  });

  test('a process that is not ready need not answer, and brings later what it has counted', () => {
    const starting = { id: 'b', ready: false, series: undefined };
    const grown = readings(
      [up('a', { latency: 10 })],
      [up('a', { latency: 11 }), starting],
      [up('a', { latency: 12 }), up('b', { latency: 7 })],
    );

    expect(grown).toEqual([{ latency: 1 }, { latency: 8 }]);
  });

  test('counters that fell began anew: they bring all they have', () => {
    const grown = readings(
      [up('a', { latency: 10, 'latency/3': 4, 'latency/5': 6 })],
      [up('a', { latency: 8, 'latency/3': 5, 'latency/5': 3 })],
    );

    expect(grown).toEqual([{ latency: 8, 'latency/3': 5, 'latency/5': 3 }]);
  });

  test('a process that vanishes between two readings takes nothing away, also when only a list missed it', () => {
    const grown = readings(
      [up('a', { latency: 10 }), up('b', { latency: 50 })],
      [up('a', { latency: 12 })],
      [up('a', { latency: 13 }), up('b', { latency: 53 })],
    );

    expect(grown).toEqual([{ latency: 2 }, { latency: 4 }]);
  });

  test('how long a young process takes is left out, in its first 40 s; what it did is not', () => {
    const young = { latency: 0, acked: 0, startedAtSec: 980 };
    const old = { latency: 0, acked: 0, startedAtSec: 100 };
    const after = (series: Series) => ({ ...series, latency: 9, 'latency/3': 9, 'acked/blue': 4 });
    const grown = readings([up('a', old), up('b', young)], [up('a', after(old)), up('b', after(young))]);
    const alone = readings([up('b', young)], [up('b', after(young))]);

    expect(grown).toMatchObject([{ latency: 9, 'latency/3': 9, 'acked/blue': 8 }]);
    expect(alone[0]).not.toHaveProperty('latency');
  });

  test('forgets processes that are gone for good', () => {
    let book: ProcessBook | undefined;
    for (let reading = 0; reading < 500; reading++) {
      book = grow(book, { blue: [up(`pod ${reading}`, { latency: 1 })], green: [] }, 1_000)?.book;
    }

    expect(book?.size).toBeLessThanOrEqual(62);
  });
});
