import { expect, test } from '@jest/globals';
import { type LaneProxy, watchClosing } from './closed.ts';

const never = new AbortController().signal;
const wasAsked = 'a lane without weight has answered a request less than 2 s ago';

type Proxy = { requests: number | undefined; inFlight?: number; isReady?: boolean };

/** Proxies of the lane green by name, under a clock that the test moves. */
function closingOf(proxies: Readonly<Record<string, Proxy>>) {
  let now = 0;
  const found = (): readonly LaneProxy[] =>
    Object.entries(proxies).map(([name, { requests, inFlight = 0, isReady = true }]) => ({
      name,
      isReady,
      requests: async () => {
        if (requests === undefined) throw new Error('gone');
        return { answered: requests, inFlight };
      },
    }));
  const closing = watchClosing(
    async (lane) => (lane === 'green' ? found() : []),
    () => now,
  );
  return (at: number) => {
    now = at;
    return closing.whyOpen(['green'], never);
  };
}

test('whyOpen() says that a lane is open until all its proxies have answered nothing for 2 s', async () => {
  const proxies = { a: { requests: 7 }, b: { requests: 3 } };
  const at = closingOf(proxies);

  expect(await at(0)).toBe(wasAsked);
  proxies.b.requests = 4;
  expect(await at(1_500)).toBe(wasAsked);
  expect(await at(3_400)).toBe(wasAsked);
  expect(await at(3_500)).toBeUndefined();
});

test('whyOpen() waits for no lane that nobody is in, and for no proxy that was never asked', async () => {
  expect(await closingOf({})(0)).toBeUndefined();
  expect(await closingOf({ a: { requests: 0 } })(0)).toBeUndefined();
});

test('whyOpen() waits for the first request that a proxy is at', async () => {
  const proxies: Record<string, Proxy> = { a: { requests: 0, inFlight: 1 } };
  const at = closingOf(proxies);

  expect(await at(0)).toBe(wasAsked);
  proxies['a'] = { requests: 1 };
  expect(await at(1_500)).toBe(wasAsked);
  expect(await at(3_400)).toBe(wasAsked);
  expect(await at(3_500)).toBeUndefined();
});

test('whyOpen() takes a proxy that began anew for one that was asked just now', async () => {
  const proxies = { a: { requests: 7 } };
  const at = closingOf(proxies);
  await at(0);
  proxies.a.requests = 0;

  expect(await at(3_000)).toBe(wasAsked);
  expect(await at(5_000)).toBeUndefined();
});

test('whyOpen() names a ready proxy that does not tell its requests, and does not wait for one that is not ready', async () => {
  const proxies: Record<string, Proxy> = { a: { requests: undefined } };
  const at = closingOf(proxies);

  expect(await at(0)).toBe('proxy a does not tell its requests: Error: gone');
  proxies['a'] = { requests: undefined, isReady: false };
  expect(await at(5_000)).toBeUndefined();
});
