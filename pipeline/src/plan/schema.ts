/** Reads a step's values back from a journal or a cache, where they are untrusted text. Zod's schemas fit here as well. */
export interface Schema<Values> {
  /** @throws if `value` is not what it shall be */
  parse(value: unknown): Values;
}

/** What `schema` reads. */
export type Parsed<S> = S extends Schema<infer Values> ? Values : never;

/** A value that JSON keeps as it is. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** For steps that give no values. */
export const nothing: Schema<undefined> = { parse: () => undefined };

export const text: Schema<string> = {
  parse(value) {
    if (typeof value === 'string') return value;
    throw mismatch('text', value);
  },
};

export const amount: Schema<number> = {
  parse(value) {
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw mismatch('a number', value);
  },
};

/** Checked by the maker of a brand, e.g. `made(text, digest)`. */
export function made<From, To>(from: Schema<From>, make: (value: From) => To): Schema<To> {
  return { parse: (value) => make(from.parse(value)) };
}

export function listOf<Item>(item: Schema<Item>): Schema<readonly Item[]> {
  return {
    parse(value) {
      if (Array.isArray(value)) return value.map((inner) => item.parse(inner));
      throw mismatch('a list', value);
    },
  };
}

/** Exactly these keys; more are dropped. */
export function record<Shape extends Readonly<Record<string, Schema<unknown>>>>(
  shape: Shape,
): Schema<{ readonly [K in keyof Shape]: Parsed<Shape[K]> }> {
  return {
    parse(value) {
      if (!isRecord(value)) throw mismatch('a record', value);
      const parsed = Object.entries(shape).map(([key, schema]) => [key, schema.parse(value[key])]);
      return Object.fromEntries(parsed) as { readonly [K in keyof Shape]: Parsed<Shape[K]> }; // Each by the schema of its key.
    },
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(wanted: string, value: unknown): TypeError {
  return new TypeError(`Cannot read values as they must be ${wanted}: current value is ${JSON.stringify(value)}`);
}
