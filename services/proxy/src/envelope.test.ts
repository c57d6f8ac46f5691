import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { envelope, headersJson, queryJson } from './envelope.ts';

const parts = { body: '{}', headers: '{}', originReplyTo: '_INBOX.ours.1', queryParameters: '{}' };

describe('envelope()', () => {
  test('has the four keys in the order of the wire contract', () => {
    expect(envelope(parts)).toBe('{"body":{},"headers":{},"originReplyTo":"_INBOX.ours.1","queryParameters":{}}');
  });

  test('keeps the reply address whatever JSON the body is, and the body as it came', () => {
    const planted = fc.constantFrom(
      '{"originReplyTo":"_INBOX.evil"}',
      '"\\",\\"originReplyTo\\":\\"_INBOX.evil"',
      '[{"body":1,"originReplyTo":"_INBOX.evil"}]',
      '{"z":1,"a":12345678901234567890,"z":1.0e2}',
    );
    fc.assert(
      fc.property(fc.oneof(planted, fc.json()), (body) => {
        const text = envelope({ ...parts, body });
        expect((JSON.parse(text) as { originReplyTo: string }).originReplyTo).toBe('_INBOX.ours.1');
        expect(text.startsWith(`{"body":${body},"headers":`)).toBe(true);
      }),
    );
  });
});

describe('headersJson()', () => {
  test('gives a single header as text and a repeated one as list, names in lower case', () => {
    const raw = ['Host', 'h', 'X-A', '1', 'Cookie', 'a="b"', 'x-a', '2', 'X-a', '3'];
    expect(headersJson(raw)).toBe('{"host":"h","x-a":["1","2","3"],"cookie":"a=\\"b\\""}');
  });

  test('keeps a header that would be special on an object', () => {
    expect(headersJson(['__proto__', 'x', '2', 'b', '1', 'a'])).toBe('{"__proto__":"x","2":"b","1":"a"}');
  });
});

describe('queryJson()', () => {
  test.each([
    { search: '', json: '{}' },
    { search: 'a=1&b', json: '{"a":"1","b":""}' },
    { search: 'ids=1&ids=2&ids=3', json: '{"ids":["1","2","3"]}' },
    { search: 'q=a+b%20c%26&__proto__=x', json: '{"q":"a b c&","__proto__":"x"}' },
    { search: 'originReplyTo=%22%2C%22', json: '{"originReplyTo":"\\",\\""}' },
    { search: 'bad=%zz%ff', json: '{"bad":"%zz\ufffd"}' },
  ])('reads "$search"', ({ search, json }) => {
    expect(queryJson(search)).toBe(json);
  });
});
