import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FlowBook, flow } from './flow.ts';
import { type NatsRig, publishRequest, pull, startNatsRig } from './jetstream.rig.ts';
import { openJetStreamQueue } from './jetstream.ts';

const services = { proxy: { pulls: [] }, rating: { pulls: ['get.ratings'] } };
const signal = new AbortController().signal;
let rig: NatsRig;

beforeAll(async () => {
  rig = await startNatsRig();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

test('flow() tells acks, redeliveries and messages that expired unprocessed as a real server has them', async () => {
  const app = await rig.freshApp(services);
  await using queue = openJetStreamQueue({ app, services, existing: undefined, url: rig.server.url });
  const manager = await rig.nats.jetstreamManager();
  await manager.streams.update(`${app}-green`, { max_age: 2_000_000_000 });
  const take = () => pull(rig.nats, `${app}-green.${app}-green-rating`, 1_000);
  const mark = flow(undefined, await queue.observe('green', signal), { acked: 0, terminated: 0 });

  for (let n = 0; n < 20; n++)
    publishRequest(rig.nats, { app, lane: 'green', id: `m${n}`, subject: 'get.ratings', inbox: 'i' });
  for (let n = 0; n < 5; n++) (await take())?.respond('+ACK');
  (await take())?.respond('-NAK');
  // The fifth token of an ack subject is the number of the delivery.
  let again = await take();
  for (let tries = 0; tries < 10 && again?.reply?.split('.')[4] !== '2'; tries++) again = await take();
  await rig.nats.flush();
  let book: FlowBook | undefined = mark.book;
  const told = [flow(book, await queue.observe('green', signal), { acked: 5, terminated: 0 })];
  book = told[0]?.book;
  for (
    let seen = await queue.observe('green', signal);
    seen.messages > 0;
    seen = await queue.observe('green', signal)
  ) {
    const next = flow(book, seen, { acked: 0, terminated: 0 });
    book = next.book;
    told.push(next);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  told.push(flow(book, await queue.observe('green', signal), { acked: 0, terminated: 0 }));

  const sum = (field: 'arrived' | 'acked' | 'expired' | 'redelivered' | 'dropped') =>
    told.reduce((total, { flow: one }) => total + (one?.[field] ?? 0), 0);
  expect(again?.reply?.split('.')[4]).toBe('2');
  expect({ arrived: sum('arrived'), acked: sum('acked'), redelivered: sum('redelivered') }).toEqual({
    arrived: 20,
    acked: 5,
    redelivered: 1,
  });
  expect({ expired: sum('expired'), dropped: sum('dropped') }).toEqual({ expired: 15, dropped: 15 });
});
