import { describe, expect, test } from '@jest/globals';
import { parseEnvelope } from './envelope.ts';

const originReplyTo = '_INBOX.abc.1';

describe('parseEnvelope()', () => {
  test('reads the four keys in any order, and leaves others alone', () => {
    const payload = { queryParameters: { limit: '1' }, later: 1, originReplyTo, headers: {}, body: { items: [] } };

    expect(parseEnvelope(JSON.stringify(payload))).toEqual({
      kind: 'request',
      replyTo: originReplyTo,
      body: { items: [] },
      query: { limit: '1' },
    });
  });

  test('takes absent body and parameters as empty', () => {
    expect(parseEnvelope(JSON.stringify({ originReplyTo }))).toEqual({
      kind: 'request',
      replyTo: originReplyTo,
      body: {},
      query: {},
    });
  });

  test('answers nobody but the parsed address, whatever the body says', () => {
    const planted = `{"body":{"originReplyTo":"_INBOX.planted.1"},"originReplyTo":"${originReplyTo}"}`;

    expect(parseEnvelope(planted)).toMatchObject({ replyTo: originReplyTo });
  });

  test.each(['', '{', '[]', '"text"', 'null', '7'])('has nobody to answer for %j', (payload) => {
    expect(parseEnvelope(payload)).toEqual({
      kind: 'malformed',
      replyTo: undefined,
      why: 'the message must be a JSON object',
    });
  });

  test.each([
    undefined,
    7,
    '',
    'get.ratings',
    '$JS.API.STREAM.DELETE.x',
    '_INBOX.>',
    '_INBOX.a b',
    '_INBOX',
    '_INBOX.a\r\nPUB x',
    `_INBOX.${'a'.repeat(300)}`,
  ])('never publishes to %j', (address) => {
    const read = parseEnvelope(JSON.stringify({ body: {}, originReplyTo: address }));

    expect(read).toMatchObject({ kind: 'malformed', replyTo: undefined });
  });

  test('can refuse parameters that are no object to whoever asked', () => {
    expect(parseEnvelope(JSON.stringify({ originReplyTo, queryParameters: [] }))).toEqual({
      kind: 'malformed',
      replyTo: originReplyTo,
      why: 'queryParameters must be a JSON object',
    });
  });
});
