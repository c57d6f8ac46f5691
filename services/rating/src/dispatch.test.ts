import { describe, expect, test } from '@jest/globals';
import { headers, type JsMsg, type NatsConnection } from 'nats';
import { openDispatch } from './dispatch.ts';
import { openMetrics } from './metrics.ts';
import { type CommandKey, type Effect, type Page, type RatingRepository, Unavailable } from './repository.ts';

const replyTo = '_INBOX.proxy.1';
const userId = '0b5fe0a4-6f0e-4a37-9a39-0f9d1c1b8f10';
const serviceId = '6f0c7f1e-1d0e-4ab7-8a5a-3f3f1f0a9c11';
const source = { stream: 'ratings-blue', consumer: 'ratings-blue-rating' };

type Sent = { readonly to: string; readonly text: string; readonly canonical: string };

/** A dispatch over a store that keeps replies in memory, and all that it sent. */
function rig({ problem }: { problem?: Error } = {}) {
  const sent: Sent[] = [];
  const kept = new Map<string, string>();
  const pages: Page[] = [];
  const effects: { key: CommandKey; effect: Effect }[] = [];
  const asked = <T>(answer: T): Promise<T> =>
    problem === undefined ? Promise.resolve(answer) : Promise.reject(problem);
  const store: RatingRepository = {
    listRatings: (page) => asked(pages.push(page)).then(() => []),
    listNamed: (_noun, page) => asked(pages.push(page)).then(() => []),
    async apply(key, effect, reply) {
      await asked(undefined);
      effects.push({ key, effect });
      const name = `${key.id} ${key.subject}`;
      kept.set(name, kept.get(name) ?? reply);
      return kept.get(name) ?? '';
    },
    purge: async () => 0,
  };
  const connection = {
    publish: (to: string, text: string, options: { headers: ReturnType<typeof headers> }) =>
      sent.push({ to, text, canonical: options.headers.get('Rating-Canonical') }),
  } as unknown as NatsConnection;
  const logged: string[] = [];
  const metrics = openMetrics(
    { app: 'ratings', lane: 'blue', service: 'rating', revision: 'unknown' },
    { inFlight: () => new Map() },
  );
  const dispatch = openDispatch({ connection, store, log: (event) => logged.push(event), metrics });
  return {
    sent,
    pages,
    effects,
    logged,
    metrics,
    ask: (subject: string, payload: unknown, id = 'id-1', deliveries = 1) =>
      dispatch(aMessage(subject, payload, id, deliveries), source),
    statuses: () => sent.map(({ text }) => (JSON.parse(text) as { statusCode: number }).statusCode),
  };
}

function aMessage(subject: string, payload: unknown, id: string, deliveries: number): JsMsg {
  const marks = headers();
  if (id !== '') marks.set('Nats-Msg-Id', id);
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return {
    subject,
    headers: marks,
    seq: 7,
    info: { stream: 'ratings-blue', deliveryCount: deliveries },
    string: () => text,
  } as unknown as JsMsg;
}

const envelope = (body: unknown = {}, queryParameters: unknown = {}) => ({
  body,
  headers: {},
  originReplyTo: replyTo,
  queryParameters,
});
const rating = { items: [{ userId, serviceId, score: 4 }] };

describe('openDispatch()', () => {
  test.each([
    { subject: 'get.ratings', payload: envelope(), status: 200 },
    { subject: 'post.ratings', payload: envelope(rating), status: 201 },
    { subject: 'delete.ratings', payload: envelope({}, { ids: userId }), status: 204 },
    { subject: 'get.users', payload: envelope(), status: 200 },
    { subject: 'post.users', payload: envelope({ items: [{ name: 'Ada' }] }), status: 201 },
    { subject: 'get.services', payload: envelope(), status: 200 },
    { subject: 'post.services', payload: envelope({ items: [{ name: 'canal' }] }), status: 201 },
    { subject: 'post.ratings', payload: envelope({ items: [{ score: 9 }] }), status: 422 },
    { subject: 'get.ratings', payload: envelope({}, { limit: '0' }), status: 422 },
    { subject: 'delete.ratings', payload: envelope(), status: 422 },
    { subject: 'post.users', payload: envelope({ items: [{ name: '' }] }), status: 422 },
    { subject: 'get.planets', payload: envelope(), status: 404 },
    { subject: 'constructor', payload: envelope(), status: 404 },
    { subject: 'get.ratings.extra', payload: envelope(), status: 404 },
  ])('answers $subject with $status, then acks', async ({ subject, payload, status }) => {
    const { ask, sent, statuses } = rig();

    const settlement = await ask(subject, payload);

    expect(settlement).toEqual({ kind: 'ack' });
    expect(statuses()).toEqual([status]);
    expect(sent[0]).toMatchObject({ to: replyTo, canonical: '1' });
  });

  test('a message without an address is never to come again, and nobody is answered', async () => {
    const { ask, sent, logged } = rig();

    expect(await ask('get.ratings', 'no JSON')).toEqual({ kind: 'term', reason: 'the message must be a JSON object' });
    expect(sent).toEqual([]);
    expect(logged).toEqual(['malformed']);
  });

  test('parameters that are no object are answered 400, and never come again', async () => {
    const { ask, statuses } = rig();

    expect(await ask('get.ratings', envelope({}, []))).toMatchObject({ kind: 'term' });
    expect(statuses()).toEqual([400]);
  });

  test.each([
    { problem: new Unavailable('the store is away'), event: 'store-unavailable' },
    { problem: new TypeError('our own mistake'), event: 'handler-failed' },
  ])('$event: nothing is answered and the message comes again', async ({ problem, event }) => {
    const { ask, sent, logged } = rig({ problem });

    expect(await ask('post.ratings', envelope(rating))).toMatchObject({ kind: 'later' });
    expect(sent).toEqual([]);
    expect(logged).toEqual([event]);
  });

  test('a store that is away for half a minute uses up no more than four deliveries', async () => {
    const { ask } = rig({ problem: new Unavailable('the store is away') });

    const settled = await Promise.all([1, 2, 3, 4].map((n) => ask('post.ratings', envelope(rating), 'id-1', n)));

    expect(settled.map((each) => each.kind === 'later' && each.delayMs)).toEqual([500, 2_000, 8_000, 30_000]);
  });

  test('a repeat gets the reply of the first time, whatever it asks by now', async () => {
    const { ask, sent } = rig();

    await ask('post.ratings', envelope(rating));
    await ask('post.ratings', envelope({ items: [{ userId, serviceId, score: 1 }] }));

    expect(sent[1]).toEqual(sent[0]);
  });

  test('one id for two requests is two commands', async () => {
    const { ask, effects } = rig();

    await ask('post.users', envelope({ items: [{ name: 'Ada' }] }), 'same');
    await ask('post.services', envelope({ items: [{ name: 'canal' }] }), 'same');

    expect(effects.map(({ key }) => key)).toEqual([
      { id: 'same', subject: 'post.users' },
      { id: 'same', subject: 'post.services' },
    ]);
  });

  test('a message without an id is named by its place in the stream', async () => {
    const { ask, effects } = rig();

    await ask('post.users', envelope({ items: [{ name: 'Ada' }] }), '');

    expect(effects[0]?.key.id).toBe('ratings-blue:7');
  });

  test('limit, after and ids reach the store', async () => {
    const { ask, pages } = rig();

    await ask('get.ratings', envelope({}, { limit: '2', after: userId.toUpperCase(), ids: serviceId }));
    await ask('get.users', envelope());

    expect(pages).toEqual([
      { ids: [serviceId], after: userId, limit: 2 },
      { ids: undefined, after: undefined, limit: 100 },
    ]);
  });

  test('counts by subject and status, and unknown subjects under one label', async () => {
    const { ask, metrics } = rig();

    await ask('get.ratings', envelope());
    await ask('get.planets', envelope());
    await ask('get.moons', envelope());
    const text = await metrics.text();

    expect(text).toContain('headgate_handled_total{subject="get.ratings",status="200"} 1');
    expect(text).toContain('headgate_handled_total{subject="unknown",status="404"} 2');
    expect(text).not.toContain('planets');
  });
});
