import { HeadgateError } from '@headgate/rollout/errors';
import { base64Of, digitsOnly, hideParts, inLines, partMinChars } from './base64.ts';

/** Replaces every secret in a text, in whatever form it was written. */
export type Redact = (text: string) => string;

const redacted = '***';

const secretMinChars = 4;
/** Lines of a multi-line secret count as secrets of their own from this length on: a shorter one is a common word. */
const lineMinChars = 8;
/** The base64 of a longer text is found in parts alone: of what it leaves at the ends of its lines nobody makes a secret. */
const searchedMaxChars = 256;

/**
 * Knows each secret as it is, percent-encoded, as an entity of XML or escaped by a backslash in any mix, and inside base64 and base64url at any offset,
 * also in lines and in parts of 16 digits or more.
 * @throws {HeadgateError} `USAGE` for a secret under 4 characters: hiding it would hide half of the log
 */
export function redactor(secrets: Readonly<Record<string, string>>): Redact {
  for (const [name, value] of Object.entries(secrets)) refuseShort(name, value);
  const wholes = [...new Set(Object.values(secrets))];
  const lines = [...new Set(wholes.flatMap(linesOf))];
  if (wholes.length === 0) return (text) => text;
  const isPart = (line: string) => line.length >= partMinChars && digitsOnly.test(line);
  const forms = [...wholes.flatMap(formsOf), ...lines.filter((line) => !isPart(line)).flatMap(formsOf)];
  const digits = [...wholes.flatMap(base64Of), ...lines.flatMap(base64Of), ...lines.filter(isPart)];
  const [withoutForms, withoutParts] = [hideForms(forms), hideParts(digits, redacted)];
  return (text) => withoutParts(withoutForms(text));
}

/** Source of a regular expression for each character, in its order. */
type Form = readonly string[];

/** So much of each form is looked for everywhere. An expression for all of them, whole, takes a second for each MB of a log with one private key. */
const beginningChars = 4;

function hideForms(forms: readonly Form[]): Redact {
  const beginnings = new Set(forms.map((form) => form.slice(0, beginningChars).join('')));
  const beginning = new RegExp([...beginnings].join('|'), 'g');
  const wholes = forms.map((form) => new RegExp(form.join(''), 'y'));
  const lengthAt = (text: string, at: number) => {
    // The longest, so that a secret inside another one does not leave the rest of it standing.
    let longest = 0;
    for (const whole of wholes) {
      whole.lastIndex = at;
      if (whole.test(text)) longest = Math.max(longest, whole.lastIndex - at);
    }
    return longest;
  };
  return (text) => {
    let shown = '';
    let done = 0;
    beginning.lastIndex = 0;
    for (let hit = beginning.exec(text); hit !== null; hit = beginning.exec(text)) {
      const length = lengthAt(text, hit.index);
      beginning.lastIndex = hit.index + Math.max(1, length);
      if (length === 0) continue;
      shown += `${text.slice(done, hit.index)}${redacted}`;
      done = hit.index + length;
    }
    return shown + text.slice(done);
  };
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

function linesOf(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/);
  return lines.length === 1 ? [] : lines.filter((line) => line.length >= lineMinChars);
}

/** As it is, and in base64 unless it is so long that its parts are found anyway. */
function formsOf(secret: string): readonly Form[] {
  const plain = [...secret].map(characterForms);
  return secret.length > searchedMaxChars ? [plain] : [plain, ...base64Of(secret).map(inLines)];
}

const entities: Readonly<Record<string, readonly string[]>> = {
  '&': ['&amp;'],
  '<': ['&lt;'],
  '>': ['&gt;'],
  '"': ['&quot;'],
  "'": ['&apos;', '&#(?:39|x27);'],
};

const escapes: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't' };

/** Encoders differ in which characters they write as they are, so each one may stand in any form: of a URL, of JSON, also inside of JSON, of a shell. */
function characterForms(character: string): string {
  if (/[A-Za-z0-9]/.test(character)) return `(?:${character}|${percent(character)})`;
  const inJson = Object.hasOwn(escapes, character) ? [`\\\\{1,3}${escapes[character]}`] : [];
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  const unicode = units.map((unit) => `\\\\{1,3}u${anyCase(unit.toString(16).padStart(4, '0'))}`).join('');
  const entity = entities[character] ?? [];
  const space = character === ' ' ? ['\\+'] : [];
  return `(?:${[`\\\\{0,3}${escaped(character)}`, percent(character), ...inJson, unicode, ...space, ...entity].join('|')})`;
}

function percent(character: string): string {
  const bytes = [...Buffer.from(character)].map((byte) => byte.toString(16).padStart(2, '0'));
  return bytes.map((byte) => `%${anyCase(byte)}`).join('');
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}*/-]/g, '\\$&');
}
