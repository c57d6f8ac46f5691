import { expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { aSpec, orderOf, revisionNamed } from '../simulate/named.ts';
import type { ExistingQueue, Spec } from '../spec.ts';
import { beginOrder } from './begin.ts';
import { emptyHead, type Head } from './release.ts';

const requests: ExistingQueue = { stream: 'requests', consumers: { rating: 'worker', mail: 'mailer' } };
const specWith = (existing: ExistingQueue | undefined): Spec =>
  ({ release: aSpec, queue: { url: 'nats://nats:4222', existing } }) as unknown as Spec;

/** Green is live; what it took over from is gone, or still warm. */
const headWith = (blue: 'gone' | 'warm', existing: ExistingQueue | undefined): Head => ({
  ...emptyHead('test'),
  live: 'green',
  lanes: { blue: blue === 'warm' ? revisionNamed('v1') : undefined, green: revisionNamed('v2') },
  spec: specWith(existing),
});

test.each([
  { blue: 'warm', was: requests, is: requests, kind: 'begun' },
  { blue: 'warm', was: requests, is: { ...requests, consumers: { mail: 'mailer', rating: 'worker' } }, kind: 'begun' },
  { blue: 'warm', was: requests, is: { ...requests, consumers: { rating: 'worker' } }, kind: 'refused' },
  { blue: 'warm', was: requests, is: undefined, kind: 'refused' },
  { blue: 'warm', was: undefined, is: requests, kind: 'refused' },
  { blue: 'gone', was: requests, is: undefined, kind: 'begun' },
  { blue: 'gone', was: undefined, is: requests, kind: 'begun' },
] as const)(
  'beginOrder() is $kind where blue is $blue, and its queue was $was and is $is',
  ({ blue, was, is, kind }) => {
    const order = { request: orderOf(revisionNamed('v3')), spec: specWith(is), restores: false };

    expect(beginOrder(headWith(blue, was), order, instant(0)).kind).toBe(kind);
  },
);

test('beginOrder() lets no release begin with other names while one runs', () => {
  const order = { request: orderOf(revisionNamed('v3')), spec: specWith(requests), restores: false };
  const running = beginOrder(headWith('gone', requests), order, instant(0));
  if (running.kind !== 'begun') throw new Error(running.text);

  const next = { request: orderOf(revisionNamed('v4')), spec: specWith(undefined), restores: false };

  expect(beginOrder(running.head, next, instant(1))).toMatchObject({ kind: 'refused', code: 'REFUSED' });
});

test.each([
  { from: undefined, kind: 'begun' },
  { from: 7, kind: 'begun' },
  { from: 6, kind: 'refused' },
])('beginOrder() of a way back from release $from is $kind where 7 came last', ({ from, kind }) => {
  const over = { id: 7, revision: revisionNamed('v2'), state: { phase: { kind: 'retired', since: 1 }, pins: [] } };
  const head = { ...headWith('gone', undefined), release: over as unknown as Head['release'] };
  const order = { request: orderOf(revisionNamed('v1')), spec: specWith(undefined), restores: true };

  const taken = beginOrder(head, from === undefined ? order : { ...order, from }, instant(2));

  expect(taken.kind).toBe(kind);
});
