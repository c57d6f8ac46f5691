import { describe, expect, test } from '@jest/globals';
import { type MessageParts, messageOf } from './message.ts';

const parts: MessageParts = {
  subject: 'ratings-blue.post.ratings',
  replyTo: '_INBOX.ours.1',
  rawHeaders: ['Host', 'h'],
  search: '',
  body: undefined,
  maxBytes: 1_000,
};
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** The message, or the test fails. */
function made(changes: Partial<MessageParts>) {
  const message = messageOf({ ...parts, ...changes });
  if (message.kind === 'refusal') throw new Error(message.message);
  return message;
}

describe('messageOf()', () => {
  test('makes a UUIDv7 for a client that sent no id, and then the id cannot come again', () => {
    const message = made({ rawHeaders: ['x-request-id', ''] });

    expect(message.headers.get('Nats-Msg-Id')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(message.repeatableId).toBeUndefined();
  });

  test('takes the client id, the last one if there are several, and the trace', () => {
    const message = made({
      rawHeaders: ['X-Request-Id', 'a', 'Traceparent', '00-1-2-01', 'tracestate', 'k=v', 'x-request-id', 'b'],
    });

    expect(message.headers.get('Nats-Msg-Id')).toBe('b');
    expect(message.repeatableId).toBe('b');
    expect(message.headers.get('traceparent')).toBe('00-1-2-01');
    expect(message.headers.get('tracestate')).toBe('k=v');
  });

  test.each(['{"b":1,"a":12345678901234567890}', ' [1.0] ', '"ä😀"', 'null'])('splices %s as it came', (body) => {
    expect(Buffer.from(made({ body: bytes(body) }).data).toString()).toContain(`{"body":${body},"headers":`);
  });

  test.each(['', '{}'])('sends {} for the body "%s"', (body) => {
    expect(Buffer.from(made({ body: bytes(body) }).data).toString()).toMatch(/^\{"body":\{\},/);
  });

  test.each([
    { of: 'text', body: bytes('hello') },
    { of: 'two values', body: bytes('{}{}') },
    { of: 'an envelope continued', body: bytes('{},"originReplyTo":"evil","x":{}') },
    { of: 'blanks only', body: bytes('  ') },
    { of: 'a byte order mark', body: bytes('\ufeff{}') },
    { of: 'no UTF-8', body: Uint8Array.from([0x22, 0xff, 0x22]) },
  ])('refuses a body that is $of', ({ body }) => {
    expect(messageOf({ ...parts, body })).toMatchObject({ code: 'BODY_NOT_JSON' });
  });

  test('refuses headers outside ASCII', () => {
    expect(messageOf({ ...parts, rawHeaders: ['X-Name', 'J\xfcrgen'] })).toMatchObject({ code: 'HEADER_NOT_ASCII' });
  });

  test('counts the message as the server does: payload and headers', () => {
    const rawHeaders = ['x-request-id', 'abc'];
    const { data, headers } = made({ rawHeaders });
    const encoded = (headers as unknown as { encode(): Uint8Array }).encode();
    const size = data.length + encoded.length;

    expect(messageOf({ ...parts, rawHeaders, maxBytes: size })).toMatchObject({ kind: 'message' });
    expect(messageOf({ ...parts, rawHeaders, maxBytes: size - 1 })).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      message: expect.stringContaining(`at most ${size - 1} bytes: current value is at least ${size}`),
    });
  });
});
