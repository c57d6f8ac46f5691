import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeObject } from './client.ts';
import { openAs, temporaryNamespace } from './cluster.rig.ts';
import { kinds } from './kinds.ts';
import { podRepository, pushFakeService } from './pod-image.rig.ts';
import { queueAddress } from './queue-address.ts';
import { rolesOf } from './roles.ts';

const port = 4222;
const signal = (): AbortSignal => AbortSignal.timeout(30_000);
let namespace: Awaited<ReturnType<typeof temporaryNamespace>>;

/** Something behind a Service that listens where NATS would. */
beforeAll(async () => {
  namespace = await temporaryNamespace();
  const { client } = namespace;
  const labels = { server: 'nats' };
  const env = Object.entries({ PORT: String(port), ADMIN_PORT: '9090', HOST: '0.0.0.0' });
  const container = {
    name: 'main',
    image: `${podRepository()}@${await pushFakeService('sound')}`,
    env: env.map(([name, value]) => ({ name, value })),
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  };
  await client.create(kinds.Pod, { metadata: { name: 'nats-0', labels }, spec: { containers: [container] } }, signal());
  await client.create(
    kinds.Service,
    { metadata: { name: 'nats' }, spec: { selector: labels, ports: [{ port }] } },
    signal(),
  );
  for (const role of rolesOf({ app: 'ratings', route: 'ratings' })) await client.create(kinds.Role, role, signal());
}, 60_000);
afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
});

test('from outside of the cluster a driver reaches the queue through the API server', async () => {
  await using driver = await openAs(namespace.client, 'headgate-ratings-driver');

  const address = new URL(await queueAddress(`nats://nats:${port}`, driver, {}));

  expect(address.hostname).toBe('127.0.0.1');
  const [answer] = (await once(request(`http://${address.host}/`).end(), 'response')) as [IncomingMessage];
  expect((await answer.setEncoding('utf8').toArray()).join('')).toBe('hello');
  await expect(once(request(`http://${address.host}/`, { agent: false }).end(), 'response')).rejects.toThrow(
    /ECONNREFUSED/,
  ); // It was for one connection.
}, 40_000);

test('from a machine that is routed to Services it is asked at its address', async () => {
  const { spec } = (await namespace.client.get<KubeObject & { readonly spec: { readonly clusterIP: string } }>(
    kinds.Service,
    'nats',
    signal(),
  ))!;

  const address = await queueAddress(`nats://nats:${port}`, namespace.client, { HEADGATE_POD_NETWORK: '1' });

  expect(address).toBe(`nats://${spec.clusterIP}:${port}`);
}, 40_000);

test('a queue that nobody is behind is unreachable, and the error says where to look', async () => {
  await expect(queueAddress('nats://none:4222', namespace.client, {})).rejects.toMatchObject({
    code: 'QUEUE_UNREACHABLE',
    message: expect.stringContaining('Service "none"'),
    hint: expect.stringContaining('kubectl get endpoints'),
  });
}, 40_000);
