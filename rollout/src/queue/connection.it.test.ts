import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNats } from '../platform/local/servers/nats.ts';
import type { RunningServer } from '../platform/local/servers/process.ts';
import { openConnection } from './connection.ts';

let server: RunningServer;

beforeAll(async () => {
  server = await startNats();
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

test('openConnection() looks its address up when it is first asked, and not before', async () => {
  let lookups = 0;
  await using connection = openConnection('shop', async () => {
    lookups++;
    return server.url;
  });
  expect(lookups).toBe(0);

  for (let n = 0; n < 3; n++) await connection.request('$JS.API.INFO', '', AbortSignal.timeout(5_000));

  expect(lookups).toBe(1);
});

test('openConnection() is QUEUE_UNREACHABLE when there is no address, and asks again the next time', async () => {
  let lookups = 0;
  await using connection = openConnection('shop', async () => {
    lookups++;
    if (lookups === 1) throw new Error('no such service');
    return server.url;
  });

  await expect(connection.request('$JS.API.INFO', '', AbortSignal.timeout(5_000))).rejects.toMatchObject({
    code: 'QUEUE_UNREACHABLE',
    message: expect.stringContaining('no such service'),
  });
  expect(await connection.request('$JS.API.INFO', '', AbortSignal.timeout(5_000))).toBeDefined();
});
