import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { type Ask, ask } from './client.rig.ts';
import { startWorker, until } from './lane.rig.ts';
import { startNats, tied } from './servers.rig.ts';

type Line = { readonly event: string; readonly port?: number; readonly adminPort?: number; readonly message?: string };

/** The entry point as a process of its own. */
class Child implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #process: ChildProcess;
  readonly exited: Promise<number | null>;

  constructor(env: Readonly<Record<string, string>>) {
    this.#process = spawn(...tied(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'main.ts')]), {
      env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    this.#process.stdout?.on('data', (chunk: Buffer) => {
      const parts = (text + chunk.toString()).split('\n');
      text = parts.pop() ?? '';
      this.lines.push(...parts.map((line) => JSON.parse(line) as Line));
    });
    this.exited = once(this.#process, 'close').then(([code]) => code as number | null);
  }

  has(event: string): boolean {
    return this.lines.some((line) => line.event === event);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) this.#process.kill('SIGKILL');
    await this.exited;
  }
}

describe('the process', () => {
  test('SIGTERM under load fails no request and exits 0', async () => {
    await using nats = await startNats();
    await using _worker = await startWorker(nats.url, 'ratings-blue', ['get.ratings', 'post.ratings'], async () => {
      await sleep(30);
      return { statusCode: 200, body: 1 };
    });
    await using child = new Child({ NATS_URL: nats.url, SUBJECT_PREFIX: 'ratings-blue' });
    await until('it is connected', () => child.has('nats-up'));
    const { port = 0, adminPort = 0 } = child.lines.find(({ event }) => event === 'started') ?? {};
    const counts = { ok: 0, closed: 0, failed: [] as string[] };
    // Each client keeps its connection for as long as the proxy lets it, as a gateway does; some are idle at times.
    const client = async (options: Ask, pauseMs: number) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      let open = true;
      while (open) {
        const got = await ask(port, '/ratings', { ...options, agent });
        if (got.status === 200) counts.ok++;
        else counts.failed.push(got.text);
        open = got.headers.connection !== 'close';
        await sleep(pauseMs);
      }
      counts.closed++;
    };
    const clients = Array.from({ length: 30 }, (_, index) =>
      client(index % 2 === 0 ? {} : { method: 'POST', body: '[1]' }, index % 3 === 0 ? 100 : 0),
    );
    await until('there is load', () => counts.ok > 300);

    child.kill('SIGTERM');
    await until('readiness is off', async () => (await ask(adminPort, '/readyz')).text === 'shutting down\n');
    // Readiness goes first, so that a gateway hears of it: who connects in between is still taken, or too late for the kernel.
    await until('no connection is taken', () =>
      ask(port, '/ratings').then(
        () => false,
        (error: Error) => error.message.includes('ECONNREFUSED'),
      ),
    );
    await Promise.all(clients);

    expect(await child.exited).toBe(0);
    expect(counts).toMatchObject({ failed: [], closed: 30 });
    expect(child.lines.at(-1)).toMatchObject({ event: 'stopped', unanswered: 0 });
  });

  test('SIGTERM fails no request that came while the process did not get to run', async () => {
    await using nats = await startNats();
    await using _worker = await startWorker(nats.url, 'ratings-blue', ['get.ratings'], async () => ({
      statusCode: 200,
      body: 1,
    }));
    await using child = new Child({ NATS_URL: nats.url, SUBJECT_PREFIX: 'ratings-blue' });
    await until('it is connected', () => child.has('nats-up'));
    const { port = 0 } = child.lines.find(({ event }) => event === 'started') ?? {};
    child.kill('SIGSTOP');
    const asked = Promise.allSettled(Array.from({ length: 50 }, () => ask(port, '/ratings')));
    await sleep(300); // The kernel accepts them all.

    child.kill('SIGTERM');
    child.kill('SIGCONT');

    const statuses = (await asked).map((one) => (one.status === 'fulfilled' ? one.value.status : String(one.reason)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await child.exited).toBe(0);
  });

  test('SIGTERM waits no longer than the request timeout and a second', async () => {
    await using nats = await startNats();
    await using _worker = await startWorker(nats.url, 'ratings-blue', ['get.ratings'], () => undefined);
    await using child = new Child({ NATS_URL: nats.url, SUBJECT_PREFIX: 'ratings-blue', REQUEST_TIMEOUT_MS: '500' });
    await until('it is connected', () => child.has('nats-up'));
    const { port = 0 } = child.lines.find(({ event }) => event === 'started') ?? {};
    const half = connect(port, '127.0.0.1').on('error', () => {});
    half.write('POST /ratings HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{');
    const got = ask(port, '/ratings');
    await sleep(100);

    const start = performance.now();
    child.kill('SIGTERM');

    expect((await got).status).toBe(504);
    expect(await child.exited).toBe(0);
    expect(performance.now() - start).toBeLessThan(2_500);
    half.destroy();
  });

  test('an invalid environment is told whole, with exit 64', async () => {
    await using child = new Child({ PORT: 'x', HEADGATE_LANE: 'red', NATS_URL: 'ftp://a' });

    expect(await child.exited).toBe(64);
    expect(child.lines.map(({ event }) => event)).toEqual(['config-invalid', 'config-invalid', 'config-invalid']);
  });

  test('a taken port is an error that says so, with exit 1', async () => {
    await using first = new Child({ NATS_URL: 'nats://127.0.0.1:1' });
    await until('it started', () => first.has('started'));
    const port = first.lines.find(({ event }) => event === 'started')?.port;
    await using second = new Child({ NATS_URL: 'nats://127.0.0.1:1', PORT: String(port) });

    expect(await second.exited).toBe(1);
    expect(second.lines.at(-1)).toMatchObject({ event: 'failed', error: expect.stringContaining('EADDRINUSE') });
    first.kill('SIGTERM');
    expect(await first.exited).toBe(0);
  });
});
