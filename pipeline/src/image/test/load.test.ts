import { describe, expect, test } from '@jest/globals';
import { failuresOf, startLoad } from './load.ts';

describe('startLoad()', () => {
  test('keeps its pace while no answer comes, and gives every status in the end', async () => {
    const waiting: ((status: number) => void)[] = [];
    const load = startLoad(() => new Promise((resolve) => waiting.push(resolve)), AbortSignal.timeout(10_000));

    await load.untilSent(20);
    const all = load.stop();
    expect(waiting.length).toBeGreaterThanOrEqual(20);
    for (const answer of waiting) answer(200);

    expect(await all).toEqual(waiting.map(() => 200));
  });

  test('a request that cannot be made is told in the end, and ends no process before', async () => {
    const load = startLoad(() => Promise.reject(new Error('there is nothing to ask')), AbortSignal.timeout(10_000));

    await load.untilSent(20);

    await expect(load.stop()).rejects.toThrow('there is nothing to ask');
  });

  test('an abort ends the wait', async () => {
    const stop = new AbortController();
    const load = startLoad(() => Promise.resolve(200), stop.signal);
    const waiting = load.untilSent(4_000);
    stop.abort();

    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('failuresOf() counts what is not 2xx', () => {
  expect(failuresOf([200, 201, 503, 503, 0])).toEqual(['2 of 5 requests got 503', '1 of 5 requests got no answer']);
});
