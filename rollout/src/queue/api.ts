import { HeadgateError } from '../errors.ts';
import type { Connection } from './connection.ts';
import type { Config } from './description.ts';

/** The JetStream API: JSON to a subject, JSON back. Spoken by hand, so that the subjects a user needs rights on are exactly those seen here. */

/** Codes of the server that are outcomes. */
export const refusals = { streamMissing: 10059, consumerMissing: 10014, messageMissing: 10037, sequenceMissing: 10043 };

/** What the server said yes or no to. `code` is JetStream's `err_code`. */
export type Answer =
  | { readonly kind: 'given'; readonly value: Config }
  | { readonly kind: 'refused'; readonly code: number; readonly description: string };

/** @throws {HeadgateError} `QUEUE_UNREACHABLE` if nobody answers, or no JSON */
export async function ask(
  connection: Connection,
  call: string,
  body: Config | undefined,
  signal: AbortSignal,
): Promise<Answer> {
  const message = await connection.request(`$JS.API.${call}`, body === undefined ? '' : JSON.stringify(body), signal);
  return parseAnswer(call, message.string());
}

/** As `ask`, for a call that has no reason to be refused. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export async function demand(
  connection: Connection,
  call: string,
  body: Config | undefined,
  signal: AbortSignal,
): Promise<Config> {
  const answer = await ask(connection, call, body, signal);
  if (answer.kind === 'given') return answer.value;
  throw refusal(call, answer.description, answer.code);
}

/** The current state and config, or `undefined` if there is no such stream or consumer. `name` is `<stream>` or `<stream>.<consumer>`. */
export async function info(
  connection: Connection,
  kind: 'stream' | 'consumer',
  name: string,
  signal: AbortSignal,
): Promise<Config | undefined> {
  const call = `${kind.toUpperCase()}.INFO.${name}`;
  const answer = await ask(connection, call, undefined, signal);
  if (answer.kind === 'given') return answer.value;
  if (answer.code === refusals.streamMissing || answer.code === refusals.consumerMissing) return undefined;
  throw refusal(call, answer.description, answer.code);
}

/** Parses what the server or JetStream's publish said. @throws {HeadgateError} `QUEUE_UNREACHABLE` */
export function parseAnswer(call: string, text: string): Answer {
  const value = parseObject(text);
  if (value === undefined) throw refusal(call, `no JSON object: ${text.slice(0, 80)}`, 0);
  const error = value['error'];
  if (!isObject(error)) return { kind: 'given', value };
  return { kind: 'refused', code: numberIn(error, 'err_code'), description: textIn(error, 'description') };
}

/** `undefined` if `text` is no JSON object. */
export function parseObject(text: string): Config | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // The caller names what it wanted to read.
  }
}

export function refusal(call: string, why: string, code: number): HeadgateError {
  return new HeadgateError(
    'QUEUE_UNREACHABLE',
    `Cannot do ${call} as JetStream must allow it: current value is "${why}" (${code})`,
    {
      hint: 'run `headgate bootstrap`, which makes what is missing and names what differs',
    },
  );
}

/** The object in a field, empty if there is none. */
export function objectIn(value: Config, field: string): Config {
  const inner = value[field];
  return isObject(inner) ? inner : {};
}

/** @throws {HeadgateError} `QUEUE_UNREACHABLE` if there is no number in the field: an absent figure must not read as 0 */
export function numberIn(value: Config, field: string): number {
  const inner = value[field];
  if (typeof inner === 'number') return inner;
  throw refusal(`a reading of ${field}`, `no number: ${JSON.stringify(inner)}`, 0);
}

/** The text in a field, empty if there is none. */
export function textIn(value: Config, field: string): string {
  const inner = value[field];
  return typeof inner === 'string' ? inner : '';
}

function isObject(value: unknown): value is Config {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
