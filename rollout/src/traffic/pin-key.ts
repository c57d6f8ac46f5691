import { type Lane, lanes, type Pin } from '../lane.ts';
import { isCookie } from '../pin.ts';

/**
 * A pin as a line of HAProxy's run-time map: a regular expression over the text of all headers, and a backend.
 * HAProxy gives that text as `name: value\r\n…`. Bytes other than letters, digits, `-` and `_` are written `\xHH`, so that a
 * value can neither be a pattern nor break the line.
 *
 *     { header: 'Headgate-Probe', value: 'a b', lane: 'green' }  ->  (^|\n)(?i:Headgate-Probe):\x20(?-i:a\x20b)\r green-pinned
 */
export function pinLine({ header, value, lane }: Pin): string {
  const text = isCookie({ header }) ? `${before}${literal(value)}${after}` : literal(value);
  return `(^|\\n)(?i:${literal(header)}):\\x20(?-i:${text})\\r ${pinnedBackend(lane)}`;
}

/** What may stand around one cookie in its header. */
const before = '([^\\r\\n]*;\\x20*)?';
const after = '(;[^\\r\\n]*)?';

/** `undefined` for a line that is none of ours. */
export function parsePinLine(line: string): Pin | undefined {
  const [, header, value, backend] = /^\(\^\|\\n\)\(\?i:(.*)\):\\x20\(\?-i:(.*)\)\\r (\S+)$/.exec(line) ?? [];
  const lane = lanes.find((one) => pinnedBackend(one) === backend);
  if (header === undefined || value === undefined || lane === undefined) return undefined;
  const name = plain(header);
  const text = isCookie({ header: name }) ? value.slice(before.length, -after.length) : value;
  return { header: name, value: plain(text), lane };
}

/** The backend of pinned requests, counted apart from the weighted ones. */
export function pinnedBackend(lane: Lane): string {
  return `${lane}-pinned`;
}

function literal(text: string): string {
  return Array.from(Buffer.from(text), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
  }).join('');
}

function plain(text: string): string {
  const bytes = text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
