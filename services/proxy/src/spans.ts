/** Where a value stands in the bytes: `start` included, `end` not. */
export type Span = { readonly start: number; readonly end: number };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;

/**
 * The top-level members of a JSON object, without touching their values. The bytes must be valid JSON in UTF-8: the
 * caller has parsed them. Of a repeated key the last one counts, as in `JSON.parse`.
 */
export function memberSpans(json: Uint8Array): ReadonlyMap<string, Span> {
  const spans = new Map<string, Span>();
  let at = skipBlanks(json, 0) + 1; // Past the opening brace.
  for (;;) {
    const keyAt = json.indexOf(QUOTE, at);
    if (keyAt === -1) return spans;
    const keyEnd = stringEnd(json, keyAt);
    const start = skipBlanks(json, json.indexOf(COLON, keyEnd) + 1);
    const end = valueEnd(json, start);
    spans.set(String(JSON.parse(new TextDecoder().decode(json.subarray(keyAt, keyEnd)))), { start, end });
    at = end;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function skipBlanks(json: Uint8Array, at: number): number {
  let i = at;
  while (isBlank(json[i])) i++;
  return i;
}

/** `at` is the opening quote; the result is behind the closing one. */
function stringEnd(json: Uint8Array, at: number): number {
  let i = at + 1;
  while (i < json.length && json[i] !== QUOTE) i += json[i] === BACKSLASH ? 2 : 1;
  return i + 1;
}

/** Behind the value that begins at `at`. */
function valueEnd(json: Uint8Array, at: number): number {
  let depth = 0;
  let i = at;
  for (;;) {
    const byte = json[i];
    if (byte === undefined) return i;
    if (byte === QUOTE) {
      i = stringEnd(json, i);
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth++;
    const closes = byte === 0x7d || byte === 0x5d;
    if (depth === 0 && (closes || byte === COMMA || isBlank(byte))) return i;
    if (closes) depth--;
    i++;
  }
}
