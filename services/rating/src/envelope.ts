/** What a proxy puts into a message: `{body, headers, originReplyTo, queryParameters}`. Keys in any order; unknown ones are left alone. */
export type Envelope =
  | {
      readonly kind: 'request';
      readonly replyTo: string;
      readonly body: unknown;
      readonly query: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'malformed'; readonly replyTo: string | undefined; readonly why: string };

/** An address that nobody can misuse: no wildcard, no system subject, not longer than a protocol line has room for. */
const inbox = /^_INBOX[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+$/;
const INBOX_MAX_CHARS = 256;

/** Parses the payload of a message. The reply address is parsed, never searched for: a client may have planted one in its body. */
export function parseEnvelope(payload: string): Envelope {
  const value = parseJson(payload);
  if (!isObject(value)) return { kind: 'malformed', replyTo: undefined, why: 'the message must be a JSON object' };
  const { body = {}, originReplyTo, queryParameters = {} } = value;
  if (!isInbox(originReplyTo)) {
    const shown = String(JSON.stringify(originReplyTo)).slice(0, 80);
    return { kind: 'malformed', replyTo: undefined, why: `originReplyTo must be an inbox: current value is ${shown}` };
  }
  if (!isObject(queryParameters)) {
    return { kind: 'malformed', replyTo: originReplyTo, why: 'queryParameters must be a JSON object' };
  }
  return { kind: 'request', replyTo: originReplyTo, body, query: queryParameters };
}

/** Whether it is an object of JSON, a list not being one. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isInbox(value: unknown): value is string {
  return typeof value === 'string' && value.length <= INBOX_MAX_CHARS && inbox.test(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Not JSON: named by the caller.
  }
}
