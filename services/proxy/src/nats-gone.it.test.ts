import { describe, expect, test } from '@jest/globals';
import { ask } from './client.rig.ts';
import { startWorker, until } from './lane.rig.ts';
import { openProxy } from './proxy.rig.ts';
import { freePort, startNats } from './servers.rig.ts';

const code = ({ text }: { text: string }) => (JSON.parse(text) as { error: { code: string } }).error.code;

describe('without NATS', () => {
  test('the proxy waits for it, goes on without it, and is well again by itself', async () => {
    const port = await freePort();
    await using proxy = await openProxy({ NATS_URL: `nats://127.0.0.1:${port}` });

    const absent = await ask(proxy.port, '/ratings');
    expect(absent).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'headgate-lane': 'blue' } });
    expect(code(absent)).toBe('NATS_UNAVAILABLE');
    expect(await ask(proxy.adminPort, '/readyz')).toMatchObject({ status: 503, text: 'NATS was never connected\n' });
    expect((await ask(proxy.adminPort, '/healthz')).status).toBe(200);

    for (const round of [1, 2]) {
      const nats = await startNats({ port });
      await using _worker = await startWorker(nats.url, 'ratings-blue', ['get.ratings'], () => ({
        statusCode: 200,
        body: round,
      }));
      await until('it is answered', async () => (await ask(proxy.port, '/ratings')).text === String(round));
      expect((await ask(proxy.adminPort, '/readyz')).status).toBe(200);

      process.kill(nats.pid, 'SIGKILL');
      await until('it is noticed', () => proxy.events.at(-1) === 'nats-down');
      const start = performance.now();
      const gone = await ask(proxy.port, '/ratings');
      expect(performance.now() - start).toBeLessThan(500);
      expect(code(gone)).toBe('NATS_UNAVAILABLE');
      expect((await ask(proxy.adminPort, '/readyz')).status).toBe(200); // For the first 10 s.
      await nats[Symbol.asyncDispose]();
    }
  });

  test('a request whose message is with a worker when NATS goes still ends', async () => {
    await using nats = await startNats();
    await using proxy = await openProxy({ NATS_URL: nats.url, REQUEST_TIMEOUT_MS: '400' });
    let came = false;
    await using _worker = await startWorker(nats.url, 'ratings-blue', ['get.ratings'], () => {
      came = true;
      return undefined;
    });
    await until('NATS', () => proxy.events.includes('nats-up'));

    const got = ask(proxy.port, '/ratings');
    await until('it came', () => came);
    process.kill(nats.pid, 'SIGKILL');

    expect((await got).status).toBe(504);
  });
});
