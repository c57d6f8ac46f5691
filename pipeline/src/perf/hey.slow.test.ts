import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { unless, whyWithout } from '../../ci/provide.rig.ts';
import { heyCheck, type Opinion } from './hey.ts';

const withHey = unless(await whyWithout({ hey: 'hey' }), test.concurrent);

/** What the real hey says of a server that does this. */
async function checked(listener: RequestListener): Promise<Opinion> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo; // It listens to a port.
    return await heyCheck(`http://127.0.0.1:${port}/`, 100, AbortSignal.timeout(60_000));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

withHey('hey counts what fails', async () => {
  const { words } = await checked((_, response) => void response.writeHead(503).end());

  expect(words).toMatch(/^hey: \d+ requests\/s, p99 [\d.]+ ms, [1-9]\d* failed$/);
});

withHey('hey sends less where the server stands still, and that is said', async () => {
  const begun = performance.now();
  const standing = () => Math.max(0, 2_000 - (performance.now() - begun));

  const opinion = await checked((_, response) => void setTimeout(() => response.end('ok'), standing()));

  expect(opinion).toEqual({
    words: expect.stringMatching(/^hey: \d+ requests\/s, p99 [\d.]+ ms, 0 failed$/),
    underDelivered: expect.stringMatching(/^hey under-delivered: it sent \d+ of 100 requests\/s$/),
  });
});
