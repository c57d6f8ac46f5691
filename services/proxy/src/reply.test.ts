import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readReply } from './reply.ts';

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** JSON texts, also such as no printer would write. */
const jsonText = fc.oneof(
  fc.json({ stringUnit: 'grapheme' }),
  fc.constantFrom(
    '{}',
    '{ }',
    '{\n}',
    'null',
    '""',
    '12345678901234567890',
    '1.0',
    '{"z":1,"a":2,"z":3}',
    '"},\\"statusCode\\":500}"',
    '{"body":{"statusCode":500},"statusCode":500}',
    '[ 1 , 2 ]',
    '"\\u0000\\\\\\""',
    '"ä\u2028😀"',
  ),
);
const status = fc.integer({ min: 200, max: 599 });

describe('readReply()', () => {
  test('gives equal bytes by slicing and by parsing', () => {
    fc.assert(
      fc.property(jsonText, status, (body, code) => {
        const data = bytes(`{"headers":{},"body":${body},"statusCode":${code}}`);
        expect(readReply(data, true)).toEqual(readReply(data, false));
      }),
    );
  });

  test('gives the body byte by byte, in whatever order and spacing the reply has', () => {
    fc.assert(
      fc.property(jsonText, status, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (body, code, order) => {
        const members = [` "body" : ${body}\n`, '"headers":{"a":"{"}', `"statusCode":\t${code}`];
        const reply = readReply(bytes(` {${order.map((i) => members[i]).join(',')}} `), true);

        expect(reply).toMatchObject({ kind: 'reply', status: code });
        const empty = /^\{\s*\}$/.test(body);
        expect(Buffer.from(reply.kind === 'reply' ? reply.body : []).toString()).toBe(empty ? '' : body);
      }),
    );
  });

  test('has no body and no content type for the body {} and for none', () => {
    const empty = { kind: 'reply', status: 201, headers: [], body: new Uint8Array(0) };
    expect(readReply(bytes('{"statusCode":201}'), false)).toEqual(empty);
    expect(readReply(bytes('{"headers":{},"body":{},"statusCode":201}'), true)).toEqual(empty);
  });

  test('forwards headers, several values too, but none of the connection or of the proxy', () => {
    const headers = {
      'x-a': '1',
      'Set-Cookie': ['a=1', 'b=2'],
      'X-Count': 3,
      Connection: 'keep-alive',
      'content-length': '999',
      'Headgate-Lane': 'green',
      'x-none': null,
    };
    expect(readReply(bytes(JSON.stringify({ headers, body: 1, statusCode: 200 })), false)).toMatchObject({
      headers: [
        'Content-Type',
        'application/json',
        'x-a',
        '1',
        'Set-Cookie',
        'a=1',
        'Set-Cookie',
        'b=2',
        'X-Count',
        '3',
      ],
    });
  });

  test('leaves the content type to the worker', () => {
    const data = bytes('{"headers":{"content-type":"application/problem+json"},"body":1,"statusCode":400}');
    expect(readReply(data, true)).toMatchObject({ headers: ['content-type', 'application/problem+json'] });
  });

  test.each([
    { text: '', rule: 'it must be a JSON object' },
    { text: 'oops', rule: 'it must be a JSON object' },
    { text: '[]', rule: 'it must be a JSON object' },
    { text: '{"headers":{},"body":tru,"statusCode":200}', rule: 'it must be a JSON object' },
    { text: '{"body":1}', rule: 'its statusCode must be a whole number from 200 to 599: current value is "undefined"' },
    {
      text: '{"statusCode":100}',
      rule: 'its statusCode must be a whole number from 200 to 599: current value is "100"',
    },
    {
      text: '{"statusCode":"200"}',
      rule: 'its statusCode must be a whole number from 200 to 599: current value is ""200""',
    },
    { text: '{"statusCode":200,"headers":{"a b":"x"}}', rule: 'its headers must be names with text values' },
    { text: '{"statusCode":200,"headers":{"a":"x\\r\\ny: z"}}', rule: 'its headers must be names with text values' },
    { text: '{"statusCode":200,"headers":{"a":{}}}', rule: 'its headers must be names with text values' },
  ])('refuses $text', ({ text, rule }) => {
    const message = `Cannot use the worker's reply as ${rule}`;
    expect(readReply(bytes(text), false)).toEqual({ kind: 'refusal', code: 'REPLY_INVALID', message });
  });

  test('refuses bytes that are no UTF-8', () => {
    const data = Uint8Array.from([...bytes('{"statusCode":200,"body":"'), 0xff, ...bytes('"}')]);
    expect(readReply(data, false)).toMatchObject({ code: 'REPLY_INVALID' });
  });
});
