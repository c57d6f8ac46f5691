import type { Issue } from './check.ts';

/** An answer as it goes over the wire. */
export type Reply = { readonly status: number; readonly text: string };

/**
 * Header by which the service promises the form that `replyOf` writes. The proxy then cuts the body out of the text instead of parsing
 * it, which for large answers is most of its work.
 */
export const CANONICAL_HEADER = 'Rating-Canonical';

/** The JSON value that the proxy turns into no body at all. */
const nothing = {};

/** `{headers, body, statusCode}`, in exactly this form. */
export function replyOf(status: number, body: unknown): Reply {
  return { status, text: `{"headers":{},"body":${JSON.stringify(body)},"statusCode":${status}}` };
}

/** An answer that says nothing but its status. */
export function emptyReply(status: number): Reply {
  return replyOf(status, nothing);
}

/** An answer to a request that cannot be done: all that is wrong with it, at once. */
export function refusalOf(status: number, issues: readonly Issue[]): Reply {
  return replyOf(status, { errors: issues });
}

/** A reply that was kept as text. */
export function keptReply(text: string): Reply {
  return { status: Number(text.slice(-4, -1)), text };
}
