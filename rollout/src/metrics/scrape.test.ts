import { expect, test } from '@jest/globals';
import { openScrapedMetrics } from './scrape.ts';

const signal = new AbortController().signal;

/** Two processes that count requests of blue. */
function twoSources() {
  const counters = { a: 0, b: 0 };
  const b = { silent: false, isReady: true, isThere: true };
  const metrics = openScrapedMetrics({
    what: 'the sources',
    sources: async () =>
      (b.isThere ? (['a', 'b'] as const) : (['a'] as const)).map((name) => ({
        name,
        isReady: name === 'a' || b.isReady,
        counters: async () => {
          if (name === 'b' && b.silent) throw new Error('silent');
          return `process_start_time_seconds 1\nrequests ${counters[name]}\n`;
        },
      })),
    countsIn: (samples) =>
      samples
        .filter(({ name }) => name === 'requests')
        .map((sample) => ({ lane: 'blue', way: 'weighted', what: 'requests', sample }) as const),
    always: undefined,
  });
  return {
    b,
    async observe() {
      counters.a += 1;
      counters.b += 10;
      const { lanes, uneven } = await metrics.observe(signal);
      return [lanes.blue.weighted.requests, uneven];
    },
  };
}

test('observe() says that its counts are uneven without a source that is ready, and when that one is back', async () => {
  const { b, observe } = twoSources();

  expect(await observe()).toEqual([0, true]); // None was known.
  b.silent = true;
  expect(await observe()).toEqual([1, true]);
  b.silent = false;
  expect(await observe()).toEqual([22, true]);
  expect(await observe()).toEqual([33, false]);
});

test('observe() says that its counts are uneven when a process has gone and when another one has come', async () => {
  const { b, observe } = twoSources();
  await observe();
  await observe();
  b.isThere = false;

  expect([await observe(), await observe()]).toEqual([
    [12, true],
    [13, false],
  ]);
  b.isThere = true;
  expect(await observe()).toEqual([44, true]);
});

test('observe() misses nothing of a source that stays silent and is not ready', async () => {
  const { b, observe } = twoSources();
  await observe();
  b.silent = true;

  expect([await observe(), await observe()]).toEqual([
    [1, true],
    [2, true],
  ]);
  b.isReady = false;
  expect(await observe()).toEqual([3, false]);
});
