import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { openSender } from './sender.ts';

const signal = () => AbortSignal.timeout(20_000);

async function aServer(answer: (path: string) => number) {
  const server = createServer((request, response) => {
    response.statusCode = answer(request.url ?? '');
    response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]: () => void server.close(),
  };
}

const read = { method: 'GET', path: '/read', body: undefined } as const;
const write = { method: 'POST', path: '/write', body: '{}' } as const;

test('send() sends reads and one write in twenty at its rate, and tells what each of them heard', async () => {
  using server = await aServer((path) => (path === '/write' ? 503 : 200));
  await using sender = await openSender();

  const { side } = await sender.send(
    { origin: server.origin, often: [read], rare: [write], perSecond: 200, roundMs: 500, latePart: 0.2 },
    signal(),
  );

  expect(side.requests).toBeGreaterThan(0);
  expect(Object.keys(side.timings).sort()).toEqual(['GET /read', 'POST /write']);
  expect(side.errors).toBe(side.timings['POST /write']?.length);
});

test('send() counts as answered what comes late, but not later than it is told', async () => {
  const server = createServer((_, response) => setTimeout(() => response.end('{}'), 400));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using sender = await openSender();
  const { port } = server.address() as AddressInfo;
  const rateWith = async (latePart: number) => {
    const load = {
      origin: `http://127.0.0.1:${port}`,
      often: [read],
      rare: [],
      perSecond: 100,
      roundMs: 500,
      latePart,
    };
    return (await sender.send(load, signal())).side.achievedPerSecond;
  };

  const [soon, late] = [await rateWith(0.1), await rateWith(4)];

  server.close();
  expect(soon).toBeLessThan(70); // Of 100 that are asked for: those that were due in the first 150 ms.
  expect(late).toBeGreaterThan(85);
});

test('send() rejects when it is told to stop, and ever after', async () => {
  using server = await aServer(() => 200);
  await using sender = await openSender();
  const sending = { origin: server.origin, often: [read], rare: [], perSecond: 200, roundMs: 60_000, latePart: 0.2 };
  const soon = AbortSignal.timeout(50);

  await expect(sender.send(sending, soon)).rejects.toMatchObject({ name: 'TimeoutError' });
  await expect(sender.send(sending, signal())).rejects.toThrow('the sender of the load ended with SIGKILL');
});
