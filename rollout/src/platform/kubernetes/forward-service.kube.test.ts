import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { withDeadline } from '../../deadline.ts';
import type { KubeClient } from './client.ts';
import { temporaryNamespace } from './cluster.rig.ts';
import { forwardService } from './forward-service.ts';
import { kinds } from './kinds.ts';
import { podRepository, pushFakeService } from './pod-image.rig.ts';

const port = 8080;
const signal = (): AbortSignal => AbortSignal.timeout(30_000);
const labels = { app: 'gateway' };

async function makePod(client: KubeClient, name: string): Promise<void> {
  const env = Object.entries({ PORT: String(port), ADMIN_PORT: '9090', HOST: '0.0.0.0' });
  const container = {
    name: 'main',
    image: `${podRepository()}@${await pushFakeService('sound')}`,
    env: env.map(([key, value]) => ({ name: key, value })),
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  };
  const spec = { containers: [container], terminationGracePeriodSeconds: 0 };
  await client.create(kinds.Pod, { metadata: { name, labels }, spec }, signal());
}

/** Asks until there is an answer, each time by a connection of its own. */
async function answerOf(url: string): Promise<string> {
  for (const within = signal(); ; await sleep(100, undefined, { signal: within })) {
    const asking = { headers: { connection: 'close' }, signal: withDeadline(within, 2_000) };
    const answer = await fetch(url, asking).catch(() => undefined);
    if (answer !== undefined) return await answer.text();
  }
}

test('forwardService() leads to a pod that is ready, and to the next one when that is gone', async () => {
  await using namespace = await temporaryNamespace();
  const { client } = namespace;
  const ports = [{ name: 'web', port }];
  await client.create(kinds.Service, { metadata: { name: 'gateway' }, spec: { selector: labels, ports } }, signal());
  await using forwarded = await forwardService(client, { service: 'gateway', name: 'web', localPort: 0 });
  const url = `http://127.0.0.1:${forwarded.port}/`;

  // Nobody is there yet. Not by fetch(): that of Node 20 now and then waits for ever when a connection ends as soon as it begins.
  await once(connect(forwarded.port, '127.0.0.1').resume(), 'close', { signal: signal() });
  await makePod(client, 'one');
  expect(await answerOf(url)).toBe('hello');

  await client.remove(kinds.Pod, 'one', signal());
  await makePod(client, 'two');
  await gone(client, 'one');
  expect(await answerOf(url)).toBe('hello');
}, 90_000);

async function gone(client: KubeClient, pod: string): Promise<void> {
  for (const within = signal(); (await client.get(kinds.Pod, pod, within)) !== undefined; ) {
    await sleep(200, undefined, { signal: within });
  }
}

test('forwardService() refuses a port that is taken', async () => {
  await using namespace = await temporaryNamespace();
  const forwarding = { service: 'gateway', name: 'web', localPort: 0 };
  await using first = await forwardService(namespace.client, forwarding);

  const second = forwardService(namespace.client, { ...forwarding, localPort: first.port });

  await expect(second).rejects.toMatchObject({ code: 'USAGE', hint: 'name another one with --port' });
});
