import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test } from '@jest/globals';
import { startLoad } from './open-loop.ts';

test('startLoad() sends at its rate though answers are slow, and counts latency from the intended time', async () => {
  const server = createServer((_request, response) => {
    setTimeout(() => response.setHeader('Headgate-Lane', 'blue').end('{}'), 300);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const load = startLoad({
    origin: `http://127.0.0.1:${port}`,
    perSecond: 100,
    make: (n) => ({ method: n % 2 === 0 ? 'GET' : 'POST', path: '/', body: n % 2 === 0 ? undefined : '{}' }),
  });
  const started = Date.now();
  while (Date.now() - started < 1_000) await once(server, 'request');

  const exchanges = await load.stop();
  server.close();

  // A closed loop of one client would have sent 3.
  expect(exchanges.length).toBeGreaterThan(80);
  expect(exchanges.every(({ status, lane, ms }) => status === 200 && lane === 'blue' && ms >= 290)).toBe(true);
  expect(new Set(exchanges.map(({ id }) => id)).size).toBe(exchanges.length);
});
