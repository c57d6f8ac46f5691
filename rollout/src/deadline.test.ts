import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { firstOf, withDeadline } from './deadline.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Garbage is collected again and again while somebody waits. */
async function outlives(wait: Promise<unknown>): Promise<'aborted' | 'waits'> {
  const collecting = setInterval(collect, 20);
  const never = new AbortController();
  try {
    return await Promise.race([
      wait.then(
        () => 'waits' as const,
        () => 'aborted' as const,
      ),
      sleep(3_000, 'waits' as const, { signal: never.signal }),
    ]);
  } finally {
    clearInterval(collecting);
    never.abort();
  }
}

const run = new AbortController();

test('withDeadline() ends a wait in time although garbage is collected meanwhile', async () => {
  await using server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };

  const asked = fetch(`http://127.0.0.1:${port}`, { signal: withDeadline(run.signal, 300) });
  const slept = sleep(60_000, undefined, { signal: withDeadline(run.signal, 300) });

  expect(await Promise.all([outlives(asked), outlives(slept)])).toEqual(['aborted', 'aborted']);
});

test('withDeadline() of a signal with a deadline of its own keeps that one too', async () => {
  const inner = () => withDeadline(withDeadline(run.signal, 300), 60_000);

  expect(await outlives(sleep(60_000, undefined, { signal: inner() }))).toBe('aborted');
});

test('firstOf() aborts with the first, with its reason', () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const first = firstOf([one.signal, other.signal]);

  other.abort('enough');

  expect(first.reason).toBe('enough');
});
