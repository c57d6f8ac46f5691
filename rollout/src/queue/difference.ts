import type { Config } from './description.ts';

/** One field of a config that is not as described. Nested fields are named `outer.inner`. */
export type Difference = { readonly field: string; readonly wanted: unknown; readonly current: unknown };

/** A fence is no configuration, and a consumer's `name` repeats its `durable_name`. */
const notConfigured = new Set(['pause_until', 'name']);

/**
 * Compares what is described with what the server says it has. A field that is not described must be at the server's
 * empty default (absent, false, 0, -1, "none", ""): a limit that somebody set by hand is a difference too.
 * The server's own `_nats.*` metadata is left apart.
 */
export function differences(wanted: Config, current: Config): readonly Difference[] {
  return compare(wanted, current, '');
}

function compare(wanted: Config, current: Config, path: string): readonly Difference[] {
  const fields = [...new Set([...Object.keys(wanted), ...Object.keys(current)])].sort();
  return fields
    .filter((field) => !notConfigured.has(field) && !field.startsWith('_nats.'))
    .flatMap((field) => compareField(`${path}${field}`, wanted[field], current[field]));
}

function compareField(field: string, wanted: unknown, current: unknown): readonly Difference[] {
  if (isObject(wanted) || isObject(current)) {
    return compare(isObject(wanted) ? wanted : {}, isObject(current) ? current : {}, `${field}.`);
  }
  const same = wanted === undefined ? isEmpty(current) : sameValue(wanted, current);
  return same ? [] : [{ field, wanted, current }];
}

function sameValue(wanted: unknown, current: unknown): boolean {
  if (!Array.isArray(wanted)) return wanted === current;
  return Array.isArray(current) && sorted(wanted) === sorted(current); // Subjects are a set.
}

function sorted(values: readonly unknown[]): string {
  return JSON.stringify([...values].sort());
}

function isEmpty(value: unknown): boolean {
  return (
    [undefined, false, 0, -1, '', 'none'].includes(value as string) || (Array.isArray(value) && value.length === 0)
  );
}

function isObject(value: unknown): value is Config {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
