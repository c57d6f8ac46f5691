import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import type { KubernetesSpec } from '../../spec.ts';
import type { KubeClient } from './client.ts';
import { openSender } from './send-through.ts';

const traffic = {
  kind: 'gateway-api',
  route: 'ratings',
  replicas: { namespace: 'gateway', service: 'gateway', listener: 'web', metrics: undefined },
};
const signal = () => AbortSignal.timeout(10_000);

/** A sender, what it asked the API server, and the hosts that a router of one replica was asked for. */
async function aSender() {
  const hosts: (string | undefined)[] = [];
  const router = createServer(({ headers }, response) => {
    hosts.push(headers.host);
    response.end();
  });
  await new Promise<void>((listening) => router.listen(0, '127.0.0.1', listening));
  const { port } = router.address() as AddressInfo;
  const slice = { ports: [{ name: 'web', port }], endpoints: [{ addresses: ['127.0.0.1'] }] };
  const world = { listed: 0, got: 0, list: async () => ({ items: [slice] }) as object };
  const client = {
    in: () => client,
    list: () => {
      world.listed += 1;
      return world.list();
    },
    get: async () => {
      world.got += 1;
      return { spec: { hostnames: ['shop.test'] } };
    },
  };
  const kubernetes = { namespace: 'shop', traffic } as unknown as KubernetesSpec;
  const send = openSender({ app: 'ratings', kubernetes, client: client as unknown as KubeClient, way: 'direct' });
  return {
    world,
    hosts,
    send: () => send({ path: '/any', headers: {} }, signal()),
    async [Symbol.asyncDispose]() {
      router.closeAllConnections();
      await new Promise((closed) => router.close(closed));
    },
  };
}

test('openSender() asks the API server once for all that is sent within a second', async () => {
  await using sender = await aSender();

  const answers = await Promise.all(Array.from({ length: 40 }, sender.send));
  for (let n = 0; n < 10; n++) await sender.send();

  expect(answers.every((answer) => answer.kind === 'answered' && answer.status === 200)).toBe(true);
  expect([sender.hosts.length, new Set(sender.hosts)]).toEqual([50, new Set(['shop.test'])]);
  expect(sender.world).toMatchObject({ listed: 1, got: 1 });
});

test('openSender() asks again as soon as nobody answers, or the API server could not tell', async () => {
  await using sender = await aSender();
  const { list } = sender.world;
  sender.world.list = async () => ({ items: [] });
  expect(await sender.send()).toEqual({ kind: 'unanswered', why: 'no replica of the router was found' });
  sender.world.list = () => Promise.reject(new Error('refused'));
  await expect(sender.send()).rejects.toThrow('refused');

  sender.world.list = list;

  expect(await sender.send()).toMatchObject({ kind: 'answered' });
  expect(sender.world.listed).toBe(3);
});
