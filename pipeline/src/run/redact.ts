import { HeadgateError } from '@headgate/rollout';

/** Replaces every secret in a text, in whatever form it was written. */
export type Redact = (text: string) => string;

const redacted = '***';

const secretMinChars = 4;
/** Lines of a multi-line secret count as secrets of their own from this length on: a shorter one is a common word. */
const lineMinChars = 8;

/**
 * Knows each secret as it is, percent-encoded in any mix, JSON-escaped, and inside base64 and base64url at any offset.
 * @throws {HeadgateError} `USAGE` for a secret under 4 characters: hiding it would hide half of the log
 */
export function redactor(secrets: Readonly<Record<string, string>>): Redact {
  for (const [name, value] of Object.entries(secrets)) refuseShort(name, value);
  const texts = [...new Set(Object.values(secrets).flatMap(withLines))];
  if (texts.length === 0) return (text) => text;
  // The longest first, so that a secret inside another one does not leave the rest of it standing.
  const forms = texts.sort((a, b) => b.length - a.length).flatMap(formsOf);
  const pattern = new RegExp(forms.join('|'), 'g');
  return (text) => text.replace(pattern, redacted);
}

/** `redact` for every text inside of `value`, names of properties apart. */
export function redactDeep<T>(value: T, redact: Redact): T {
  const walk = (inner: unknown): unknown => {
    if (typeof inner === 'string') return redact(inner);
    if (Array.isArray(inner)) return inner.map(walk);
    if (typeof inner !== 'object' || inner === null) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, child]) => [key, walk(child)]));
  };
  return walk(value) as T; // Only texts are replaced, and by texts.
}

function refuseShort(name: string, value: string): void {
  if (value.length >= secretMinChars) return;
  throw new HeadgateError(
    'USAGE',
    `Cannot hide the secret ${name} as it must have at least ${secretMinChars} characters`,
    {
      hint: `leave ${name} unset, or set it to the whole secret`,
    },
  );
}

function withLines(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/);
  return lines.length === 1 ? lines : [secret, ...lines.filter((line) => line.length >= lineMinChars)];
}

/** Sources of regular expressions. */
function formsOf(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  return [plainOrPercent(secret), ...(json === secret ? [] : [escaped(json)]), ...base64Forms(secret)];
}

/** Encoders differ in which characters they write as they are, so each one may stand in either form. */
function plainOrPercent(secret: string): string {
  return [...secret]
    .map((character) => {
      const bytes = [...Buffer.from(character)]
        .map((byte) => `%${anyCase(byte.toString(16).padStart(2, '0'))}`)
        .join('');
      return `(?:${escaped(character)}|${bytes}${character === ' ' ? '|\\+' : ''})`;
    })
    .join('');
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

/** Base64 writes 3 bytes as 4 characters, so a secret inside a longer text looks one of three ways; its ends depend on its neighbours. */
function base64Forms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor(((offset + bytes.length) * 8) / 6);
    const sure = encoded.slice(first, last);
    return [...sure].map((digit) => (digit === '+' ? '[+-]' : digit === '/' ? '[/_]' : digit)).join('');
  });
}

function escaped(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}*/-]/g, '\\$&');
}
