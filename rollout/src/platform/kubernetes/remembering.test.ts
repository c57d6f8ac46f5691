import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { KubeClient } from './client.ts';
import { kinds } from './kinds.ts';
import { remembering } from './remembering.ts';

function fakeClient(list: (signal: AbortSignal) => Promise<unknown>): KubeClient {
  const client = {
    namespace: 'one',
    in: () => client,
    list: (_kind: unknown, _which: unknown, signal: AbortSignal) => list(signal),
  };
  return client as unknown as KubeClient;
}

const pods = (name: string) => ({ items: [{ metadata: { name } }], resourceVersion: '1' });
const ask = (client: KubeClient, signal = AbortSignal.timeout(5_000)) =>
  client.list(kinds.Pod, { labels: 'a=b' }, signal).then(({ items }) => items[0]?.metadata.name);

test('remembering() answers what it heard last from a server that refuses or hangs, and the new as soon as there is any', async () => {
  let answer: (signal: AbortSignal) => Promise<unknown> = async () => pods('first');
  const client = remembering(fakeClient((signal) => answer(signal)));
  expect(await ask(client)).toBe('first');

  answer = () => Promise.reject(new Error('refused'));
  expect(await ask(client)).toBe('first');
  answer = (signal) => sleep(60_000, undefined, { signal });
  const asked = performance.now();
  expect(await ask(client)).toBe('first');
  expect(performance.now() - asked).toBeLessThan(2_000);
  answer = async () => pods('second');
  expect(await ask(client)).toBe('second');
});

test('remembering() knows nothing that it never heard, and ends with its caller', async () => {
  const client = remembering(fakeClient(() => Promise.reject(new Error('refused'))));

  await expect(ask(client)).rejects.toThrow('refused');
  await expect(ask(client, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
});
