import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from 'nats';
import { type RunningServer, startNats } from '../platform/local/servers/index.ts';
import { makeQueue, publishRequest } from './jetstream.rig.ts';
import { openJetStreamQueue } from './jetstream.ts';
import { inboxPrefix } from './names.ts';
import { type Role, rightsOf } from './rights.ts';

const app = 'shop';
const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };
const roles: readonly Role[] = ['lag', 'worker', 'proxy', 'controller', 'bootstrap'];
const signal = AbortSignal.timeout(3_600_000);
let folder: string;
let server: RunningServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headgate-rights-'));
  const rights = rightsOf({ app, services, existing: undefined });
  const users = roles.map((role) => ({ user: role, password: 'a secret', permissions: rights[role] }));
  await writeFile(join(folder, 'users.conf'), `authorization: ${JSON.stringify({ users })}`);
  server = await startNats({ args: ['-c', join(folder, 'users.conf')] });
  await makeQueue(urlOf('bootstrap'), app, services); // The first proof: bootstrap may do its work.
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function urlOf(role: Role): string {
  return server.url.replace('nats://', `nats://${role}:${encodeURIComponent('a secret')}@`);
}

async function as<T>(role: Role, act: (nats: NatsConnection) => Promise<T>): Promise<T> {
  const nats = await connect({
    servers: server.url,
    user: role,
    pass: 'a secret',
    inboxPrefix: inboxPrefix(app, role),
  });
  try {
    return await act(nats);
  } finally {
    await nats.close();
  }
}

describe('rightsOf()', () => {
  test('lets proxy, worker and lag do their work together', async () => {
    const inbox = `${inboxPrefix(app, 'proxy')}.one`;

    const answer = await as('proxy', async (proxy) => {
      const answers = proxy.subscribe(inbox, { max: 1 });
      publishRequest(proxy, { app, lane: 'blue', id: 'a', subject: 'get.ratings', inbox });
      await as('worker', async (worker) => {
        await worker.request(`$JS.API.DIRECT.GET.KV_headgate.$KV.headgate.sources.${app}.blue`);
        worker.subscribe(`$KV.headgate.sources.${app}.blue`);
        const consumer = await worker.jetstream().consumers.get(`${app}-blue`, `${app}-blue-rating`);
        const message = await consumer.next({ expires: 5_000 });
        worker.publish(message!.json<{ originReplyTo: string }>().originReplyTo, 'done');
        expect(await message!.ackAck()).toBe(true);
      });
      for await (const message of answers) return message.string();
      return undefined;
    });
    const look = await as('lag', (lag) => lag.request(`$JS.API.CONSUMER.INFO.${app}-blue.${app}-blue-rating`));

    expect(answer).toBe('done');
    expect(look.json()).toMatchObject({ num_pending: 0, num_ack_pending: 0 });
  });

  test('lets the controller do all that the queue port asks', async () => {
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: urlOf('controller') });
    await as('proxy', async (proxy) => {
      publishRequest(proxy, { app, lane: 'green', id: 'b', subject: 'get.ratings', inbox: '_INBOX_shop_proxy.b' });
      await proxy.flush();
    });
    await as('worker', async (worker) => {
      const consumer = await worker.jetstream().consumers.get(`${app}-green`, `${app}-green-rating`);
      for (let attempts = 0; attempts < 5; attempts++) (await consumer.next({ expires: 5_000 }))!.nak();
      await consumer.next({ expires: 1_000 });
    });

    await queue.setSources('green', [], signal);
    expect((await queue.fence('green', 5_000, signal)).kind).toBe('fenced');
    await queue.unfence('green', signal);
    expect(await queue.disposeDead('green', 1, signal)).toBe(1);
    await as('proxy', async (proxy) => {
      publishRequest(proxy, { app, lane: 'green', id: 'c', subject: 'get.ratings', inbox: '_INBOX_shop_proxy.c' });
      await proxy.flush();
    });
    expect(await queue.answerLeft('green', 2, signal)).toBe(1);
    expect(await queue.observe('green', signal)).toMatchObject({ messages: 0, sources: [] });
  });

  test.each([
    { role: 'lag', what: 'publish to a lane', subject: `${app}-blue.get.ratings` },
    { role: 'lag', what: 'fence', subject: `$JS.API.CONSUMER.PAUSE.${app}-blue.${app}-blue-rating` },
    { role: 'worker', what: 'write a source list', subject: `$KV.headgate.sources.${app}.blue` },
    { role: 'proxy', what: 'look', subject: `$JS.API.STREAM.INFO.${app}-blue` },
    { role: 'proxy', what: 'publish to another app', subject: 'other-blue.get.ratings' },
    { role: 'controller', what: 'delete a lane', subject: `$JS.API.STREAM.DELETE.${app}-blue` },
    { role: 'controller', what: 'purge a lane', subject: `$JS.API.STREAM.PURGE.${app}-blue` },
    { role: 'controller', what: 'write to another app', subject: '$KV.headgate.sources.other.blue' },
    { role: 'bootstrap', what: 'delete a lane', subject: `$JS.API.STREAM.DELETE.${app}-blue` },
    { role: 'bootstrap', what: 'change the bucket of all apps', subject: '$JS.API.STREAM.UPDATE.KV_headgate' },
  ] as const)('does not let $role $what', async ({ role, subject }) => {
    const asked = as(role, (nats) => nats.request(subject, '', { timeout: 2_000 }));

    await expect(asked).rejects.toMatchObject({ code: 'PERMISSIONS_VIOLATION' });
  });

  test('a queue without the right says which subject it was refused', async () => {
    await using queue = openJetStreamQueue({ app, services, existing: undefined, url: urlOf('lag') });

    await expect(queue.setSources('blue', [], signal)).rejects.toMatchObject({
      code: 'QUEUE_UNREACHABLE',
      message: expect.stringContaining('Permissions Violation'),
    });
  });
});
