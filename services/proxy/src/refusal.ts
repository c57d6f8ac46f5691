/** Every answer of the proxy's own making, by code. Workers' answers pass through as they are. */
export const refusalStatus = {
  REQUEST_MALFORMED: 400,
  PATH_INVALID: 400,
  BODY_NOT_JSON: 400,
  HEADER_NOT_ASCII: 400,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TOO_SLOW: 408,
  MESSAGE_TOO_LARGE: 413,
  SUBJECT_TOO_LONG: 414,
  EXPECTATION_UNKNOWN: 417,
  HEADERS_TOO_LARGE: 431,
  REPLY_INVALID: 502,
  NATS_UNAVAILABLE: 503,
  NO_RESPONDERS: 503,
  OVERLOADED: 503,
  TIMEOUT: 504,
} as const satisfies Record<string, number>;

export type RefusalCode = keyof typeof refusalStatus;

/** A request that gets no worker's answer: an outcome, never thrown. */
export type Refusal = { readonly kind: 'refusal'; readonly code: RefusalCode; readonly message: string };

export function refusal(code: RefusalCode, message: string): Refusal {
  return { kind: 'refusal', code, message };
}

/** A client's value in a message: JSON will quote it, and its length has an end. */
export function shown(value: string): string {
  return value.length <= 80 ? value : `${value.slice(0, 80)}…`;
}
