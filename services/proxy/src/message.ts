import { type MsgHdrs, headers as natsHeaders } from 'nats';
import { envelope, headersJson, queryJson } from './envelope.ts';
import { uuidV7 } from './msg-id.ts';
import { type Refusal, refusal } from './refusal.ts';

/** One request as it goes over the wire. */
export type Message = {
  readonly kind: 'message';
  readonly subject: string;
  readonly replyTo: string;
  /** The id, if the client chose it: only then can it come again. */
  readonly repeatableId: string | undefined;
  readonly headers: MsgHdrs;
  readonly data: Uint8Array;
};

export type MessageParts = {
  readonly subject: string;
  readonly replyTo: string;
  readonly rawHeaders: readonly string[];
  readonly search: string;
  /** The request body; `undefined` for none. */
  readonly body: Uint8Array | undefined;
  /** The server's announced limit: headers and payload together. */
  readonly maxBytes: number;
};

/** W3C Trace Context. Passed on as they came. */
const traceHeaders = ['traceparent', 'tracestate'] as const;

/** Builds the message, or says why this request cannot be one. */
export function messageOf({ subject, replyTo, rawHeaders, search, body, maxBytes }: MessageParts): Message | Refusal {
  const headersText = headersJson(rawHeaders);
  if (!isAscii(headersText)) {
    return refusal('HEADER_NOT_ASCII', 'Cannot forward the headers as their values must be ASCII: encode others');
  }
  const bodyText = bodyJson(body);
  if (bodyText === undefined) {
    return refusal('BODY_NOT_JSON', 'Cannot forward the body as it must be one JSON value in UTF-8');
  }
  const data = Buffer.from(
    envelope({ body: bodyText, headers: headersText, originReplyTo: replyTo, queryParameters: queryJson(search) }),
  );
  const givenId = headerValue(rawHeaders, 'x-request-id');
  const pairs: [string, string][] = [['Nats-Msg-Id', givenId ?? uuidV7(Date.now())]];
  for (const name of traceHeaders) {
    const value = headerValue(rawHeaders, name);
    if (value !== undefined) pairs.push([name, value]);
  }
  const bytes = data.length + headerBytes(pairs);
  if (bytes > maxBytes) return tooLarge(bytes, maxBytes);
  return { kind: 'message', subject, replyTo, repeatableId: givenId, headers: natsHeadersOf(pairs), data };
}

/** The refusal for a message of `bytes`, or of a body that alone is beyond the limit. */
export function tooLarge(bytes: number, maxBytes: number): Refusal {
  const rule = `the message, headers and envelope included, must have at most ${maxBytes} bytes`;
  return refusal('MESSAGE_TOO_LARGE', `Cannot forward the request as ${rule}: current value is at least ${bytes}`);
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII is.
  return /^[\x00-\x7f]*$/.test(text);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The body's own text, proved to be one JSON value; `{}` for none, `undefined` if it is no JSON. */
function bodyJson(body: Uint8Array | undefined): string | undefined {
  if (body === undefined || body.length === 0) return '{}';
  try {
    const text = utf8.decode(body);
    JSON.parse(text);
    return text;
  } catch {
    return undefined; // Not UTF-8 or not JSON: named by the caller.
  }
}

/** The last value, as the reference proxy reads it; an empty one is none. */
function headerValue(rawHeaders: readonly string[], name: string): string | undefined {
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    const raw = rawHeaders[i] ?? '';
    if (raw.length === name.length && raw.toLowerCase() === name) return rawHeaders[i + 1] || undefined;
  }
  return undefined;
}

/** Length of `NATS/1.0`, one line for each header, and the blank line. */
function headerBytes(pairs: readonly (readonly [string, string])[]): number {
  return pairs.reduce((bytes, [name, value]) => bytes + name.length + value.length + 4, 12);
}

function natsHeadersOf(pairs: readonly (readonly [string, string])[]): MsgHdrs {
  const made = natsHeaders();
  for (const [name, value] of pairs) made.append(name, value);
  return made;
}
