import { expect, test } from '@jest/globals';
import { openScrapedMetrics } from './scrape.ts';

const signal = new AbortController().signal;

test('observe() counts what a source did while it was silent once it answers, and says how far back that reaches', async () => {
  const counters = { a: 0, b: 0 };
  let silent = false;
  const metrics = openScrapedMetrics({
    what: 'the sources',
    sources: async () =>
      (['a', 'b'] as const).map((name) => ({
        name,
        counters: async () => {
          if (name === 'b' && silent) throw new Error('silent');
          return `process_start_time_seconds 1\nrequests ${counters[name]}\n`;
        },
      })),
    countsIn: (samples) =>
      samples
        .filter(({ name }) => name === 'requests')
        .map((sample) => ({ lane: 'blue', way: 'weighted', what: 'requests', sample }) as const),
    always: undefined,
  });
  const observe = async () => {
    const { lanes, reachMs } = await metrics.observe(signal);
    return { requests: lanes.blue.weighted.requests, reachMs: reachMs ?? 0 };
  };
  await observe();
  const begun = performance.now();
  silent = true;
  counters.a += 1;
  counters.b += 10;
  const without = await observe();
  const between = performance.now();
  silent = false;
  const whole = await observe();

  expect([without.requests, whole.requests]).toEqual([1, 11]);
  expect(whole.reachMs).toBeGreaterThanOrEqual(between - begun);
});
