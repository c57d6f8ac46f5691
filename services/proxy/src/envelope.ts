/** The four parts of a request on the wire, each JSON text already. */
export type EnvelopeParts = {
  /** The client's own bytes; they must be one JSON value, or a client could write the other parts. */
  readonly body: string;
  readonly headers: string;
  readonly originReplyTo: string;
  readonly queryParameters: string;
};

/**
 * The payload, built by hand: parsing and printing the body would sort keys, merge duplicates and round big integers.
 * The order of the keys is part of the wire contract.
 */
export function envelope({ body, headers, originReplyTo, queryParameters }: EnvelopeParts): string {
  return `{"body":${body},"headers":${headers},"originReplyTo":"${originReplyTo}","queryParameters":${queryParameters}}`;
}

/** Node's `rawHeaders`: name, value, name, value. Names come out in lower case; a repeated one gets an array. */
export function headersJson(rawHeaders: readonly string[]): string {
  const values = new Map<string, string | string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    keep(values, (rawHeaders[i] ?? '').toLowerCase(), rawHeaders[i + 1] ?? '');
  }
  return objectJson(values);
}

/** The text after `?`. A repeated key gets an array. */
export function queryJson(search: string): string {
  if (search === '') return '{}';
  const values = new Map<string, string | string[]>();
  for (const [key, value] of new URLSearchParams(search)) keep(values, key, value);
  return objectJson(values);
}

function keep(values: Map<string, string | string[]>, key: string, value: string): void {
  const before = values.get(key);
  if (before === undefined) values.set(key, value);
  else if (typeof before === 'string') values.set(key, [before, value]);
  else before.push(value);
}

/** By hand, because an object would lose a key named `__proto__` and reorder those that look like numbers. */
function objectJson(values: ReadonlyMap<string, string | string[]>): string {
  let text = '';
  for (const [key, value] of values)
    text += `${text === '' ? '{' : ','}${JSON.stringify(key)}:${JSON.stringify(value)}`;
  return text === '' ? '{}' : `${text}}`;
}
