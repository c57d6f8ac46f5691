import { expect, test } from '@jest/globals';
import { refuseOldServer } from './connection.ts';
import { inboxOf } from './dead-letters.ts';
import { fencedBy } from './fence.ts';

test.each([
  { inbox: '_INBOX.abc', is: '_INBOX.abc' },
  { inbox: '_INBOX_ratings_proxy.a.b', is: '_INBOX_ratings_proxy.a.b' },
  { inbox: '$JS.API.STREAM.DELETE.ratings-blue', is: undefined },
  { inbox: '_INBOX.a\r\nPUB x 0', is: undefined },
  { inbox: '_INBOX.>', is: undefined },
  { inbox: 'ratings-blue.post.ratings', is: undefined },
  { inbox: 3, is: undefined },
])('inboxOf() takes $inbox as $is', ({ inbox, is }) => {
  expect(inboxOf(JSON.stringify({ body: {}, originReplyTo: inbox }))).toBe(is);
});

test('inboxOf() finds none in what is no JSON, and none that a body plants', () => {
  expect(inboxOf('originReplyTo')).toBeUndefined();
  expect(inboxOf('{"body":{"originReplyTo":"_INBOX.planted"},"originReplyTo":"_INBOX.own"}')).toBe('_INBOX.own');
});

test.each([
  { what: 'all end in time', remainingMs: [14_000, 15_900], is: { kind: 'fenced', remainingMs: 14_000 } },
  { what: 'one ends too late', remainingMs: [15_000, 16_001], is: { kind: 'skipped' } },
  { what: 'one is over already', remainingMs: [15_000, 0], is: { kind: 'skipped' } },
])('fencedBy() is $is.kind when $what', ({ remainingMs, is }) => {
  expect(fencedBy(15_000, remainingMs)).toMatchObject(is);
});

test.each([{ version: '2.9.10' }, { version: '2.10.29' }, { version: '1.99.0' }, { version: 'unknown' }])(
  'refuseOldServer() refuses $version by name',
  ({ version }) => {
    expect(() => refuseOldServer(version)).toThrow(
      expect.objectContaining({ code: 'SERVER_VERSION', message: expect.stringContaining(`"${version}"`) }),
    );
  },
);

test.each([{ version: '2.11.0' }, { version: '2.15.1' }, { version: '3.0.0-beta.1' }])(
  'refuseOldServer() takes $version',
  ({ version }) => {
    expect(() => refuseOldServer(version)).not.toThrow();
  },
);
