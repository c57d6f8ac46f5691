import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RunningHaproxy, startHaproxy } from './haproxy.ts';
import { freePort } from './servers/index.ts';
import { runtimeCommand } from './servers/runtime-socket.ts';

let folder: string;
let haproxy: RunningHaproxy;
const tell = (command: string) => runtimeCommand(haproxy.socket, command, AbortSignal.timeout(2_000));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-haproxy-'));
  haproxy = await startHaproxy({ app: 'ratings', folder, port: await freePort() });
});

afterAll(async () => {
  await haproxy?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('a fresh HAProxy answers 503 and names no lane', async () => {
  const response = await fetch(haproxy.url);

  expect(response.status).toBe(503);
  expect(response.headers.get('headgate-lane')).toBeNull();
});

test('the 503s of a lane without a proxy are its own, in mark and in count', async () => {
  await tell('set weight split/blue 100');

  const response = await fetch(haproxy.url);

  expect(response.status).toBe(503);
  expect(response.headers.get('headgate-lane')).toBe('blue');
  expect(await failures('lane-blue')).toBe(1);
  expect(await failures('lane-green')).toBe(0);
});

test('proxies are added and deleted at run time, and a pin goes past the weights', async () => {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // The runtime socket takes a backslash of its own away from each word.
  const key = '(^|\\\\n)headgate-probe:\\\\x2042\\\\r';

  await tell(`add server green-pinned/p1 127.0.0.1:${port}; enable server green-pinned/p1`);
  await tell(`add map ${haproxy.pinMap} ${key} green-pinned`);
  const pinned = await fetch(haproxy.url, { headers: { 'Headgate-Probe': '42' } });
  const other = await fetch(haproxy.url, { headers: { 'Headgate-Probe': '421' } });
  const deleted = await tell('disable server green-pinned/p1; del server green-pinned/p1');
  server.close();

  expect([pinned.status, pinned.headers.get('headgate-lane')]).toEqual([200, 'green']);
  expect([other.status, other.headers.get('headgate-lane')]).toEqual([503, 'blue']);
  expect(deleted).toContain('Server deleted');
});

async function failures(backend: string): Promise<number> {
  const [titles = '', ...rows] = (await tell('show stat')).split('\n');
  const column = titles.split(',').indexOf('hrsp_5xx');
  return Number(rows.find((row) => row.startsWith(`${backend},BACKEND,`))?.split(',')[column]);
}
