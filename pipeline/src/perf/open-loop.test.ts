import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { startLoad } from './open-loop.ts';

test('startLoad() sends at its rate though answers are slow, and counts latency from the intended time', async () => {
  const came = new EventEmitter();
  let requests = 0;
  const server = createServer((_request, response) => {
    if (++requests === 100) came.emit('all');
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
  const started = performance.now();
  await once(came, 'all');
  const sentMs = performance.now() - started;

  const exchanges = await load.stop();
  server.close();

  // A closed loop of one client would have taken half a minute for them.
  expect(sentMs).toBeLessThan(25_000);
  expect(exchanges.length).toBeGreaterThanOrEqual(100);
  expect(exchanges.every(({ status, lane, ms }) => status === 200 && lane === 'blue' && ms >= 290)).toBe(true);
  expect(new Set(exchanges.map(({ id }) => id)).size).toBe(exchanges.length);
}, 60_000);

test('startLoad() waits for no answer longer than it may, whether nothing came or a part', async () => {
  const came = new EventEmitter();
  let requests = 0;
  const server = createServer((request, response) => {
    if (++requests === 10) came.emit('all');
    if (request.url === '/half') response.writeHead(200, { 'content-length': '2' }).write('{');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // It listens to a port.
  const load = startLoad({
    origin: `http://127.0.0.1:${port}`,
    perSecond: 100,
    make: (n) => ({ method: 'GET', path: n % 2 === 0 ? '/none' : '/half', body: undefined }),
    timeoutMs: 300,
  });
  await once(came, 'all');

  const exchanges = await load.stop();
  server.close();

  const heard = (path: string) => exchanges.filter((one) => one.path === path);
  expect(exchanges.length).toBeGreaterThanOrEqual(10);
  expect(heard('/none').every(({ status, error }) => status === undefined && error === 'no answer within 300 ms')).toBe(
    true,
  );
  expect(heard('/half').every(({ status, error }) => status === undefined && error !== undefined)).toBe(true);
  expect(exchanges.every(({ ms }) => ms >= 290)).toBe(true);
}, 60_000);
