import { describe, expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { digest, makeRevision, type Revision } from '../revision.ts';
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

/** Its images, one letter each. */
function withImages(proxy: string, rating: string) {
  const { template } = revisionNamed('v1');
  const sha = (letter: string) => digest(`sha256:${letter.repeat(64)}`);
  const digests = { proxy: sha(proxy), rating: sha(rating) };
  return makeRevision({ digests, repositories: { proxy: `at/${proxy}`, rating: 'at' }, template, commit: undefined });
}

describe('beginOrder() of one image, ordered while b was live and begun with a', () => {
  const spec = specWith(undefined);
  const order = { request: { ...orderOf(withImages('b', 'c')), unnamed: ['proxy'] }, spec, restores: false };
  const headOf = (live: Revision): Head => ({
    ...headWith('gone', undefined),
    lanes: { blue: undefined, green: live },
  });

  test('takes the other one from a', () => {
    const taken = beginOrder(headOf(withImages('a', 'a')), order, instant(0));

    expect(taken).toMatchObject({ kind: 'begun', head: { release: { revision: withImages('a', 'c') } } });
  });

  test('is refused where that was rolled back, and nothing to do where it is live', () => {
    const { id } = withImages('a', 'c');
    const bad = [{ revision: id, release: 3, text: 'slow' }];

    const again = beginOrder({ ...headOf(withImages('a', 'a')), quarantined: bad }, order, instant(0));

    expect(again).toMatchObject({ kind: 'refused', code: 'QUARANTINED' });
    expect(beginOrder(headOf(withImages('a', 'c')), order, instant(0)).kind).toBe('nothing');
  });

  test('takes none from a where somebody named both', () => {
    const named = { ...order, request: orderOf(withImages('b', 'c')) };

    const taken = beginOrder(headOf(withImages('a', 'a')), named, instant(0));

    expect(taken).toMatchObject({ kind: 'begun', head: { release: { revision: withImages('b', 'c') } } });
  });
});
