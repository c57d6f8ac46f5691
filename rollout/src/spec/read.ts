/** Readers of one part of the file each. They report what is wrong and go on, so that all mistakes come out at once. */
import { type Marker, markerRule, readMarker } from '../pin.ts';
import type { Node, Path, Report } from './source.ts';
import { describe, isEmpty } from './source.ts';

/** `undefined` means: not usable, and already reported. */
export type Reader<T> = (node: Node, path: Path, report: Report) => T | undefined;

/** What a table of readers gives: any part may be missing, because mistakes do not stop the reading. */
export type Written<T> = { readonly [K in keyof T]?: T[K] | undefined };

type ReadOf<Table> = Written<{ [K in keyof Table]: Table[K] extends Reader<infer T> ? T : never }>;

/** A map with exactly these keys. */
export function fields<Table extends Readonly<Record<string, Reader<unknown>>>>(
  table: Table,
  { required = [] }: { readonly required?: readonly (keyof Table & string)[] } = {},
): Reader<ReadOf<Table>> {
  return (node, path, report) => {
    const entries = entriesOf(node, path, report);
    if (entries === undefined) return undefined;
    for (const name of required.filter((name) => !entries.has(name))) {
      report({ path: [...path, name], rule: 'must be written', at: node.place.keyAt, value: undefined });
    }
    const read = [...entries].map(([name, child]) => {
      const reader = (Object.hasOwn(table, name) ? table[name] : undefined) ?? unknownKey(Object.keys(table));
      return [name, reader(child, [...path, name], report)];
    });
    return Object.fromEntries(read) as ReadOf<Table>; // Every key was read by the reader of its name.
  };
}

function unknownKey(known: readonly string[]): Reader<never> {
  return ({ place }, path, report) => {
    const value = JSON.stringify(path.at(-1));
    report({ path, rule: `must be one of ${known.join(', ')}`, at: place.keyAt, value });
    return undefined;
  };
}

/** A map whose keys the user chooses. */
export function dictionary<T>(reader: Reader<T>): Reader<ReadonlyMap<string, T>> {
  return (node, path, report) => {
    const entries = entriesOf(node, path, report);
    if (entries === undefined) return undefined;
    const read = new Map<string, T>();
    for (const [name, child] of entries) {
      const value = reader(child, [...path, name], report);
      if (value !== undefined) read.set(name, value);
    }
    return read;
  };
}

/** Items keep their index, so that a rule can name the one it means. */
export function list<T>(reader: Reader<T>): Reader<readonly (T | undefined)[]> {
  return (node, path, report) => {
    if (node.kind === 'list') return node.items.map((item, index) => reader(item, [...path, index], report));
    return refuse('must be a list', node, path, report);
  };
}

/** `matches` names the rule in words. */
export function text(rule = 'must be text', matches = /^/): Reader<string> {
  return (node, path, report) =>
    node.kind === 'scalar' && !isEmpty(node) && matches.test(node.text) ? node.text : refuse(rule, node, path, report);
}

/** Like `text`, but nothing written is the empty text: `env: { PATH_PREFIX: }`. */
export const anyText: Reader<string> = (node, path, report) =>
  node.kind === 'scalar' ? (isEmpty(node) ? '' : node.text) : refuse('must be text', node, path, report);

export function oneOf<const T extends string>(...choices: readonly T[]): Reader<T> {
  return (node, path, report) =>
    choices.find((choice) => node.kind === 'scalar' && node.text === choice) ??
    refuse(`must be one of ${choices.join(', ')}`, node, path, report);
}

export function whole(min: number, max: number): Reader<number> {
  return (node, path, report) => {
    const value = node.kind === 'scalar' && node.plain && /^\d{1,9}$/.test(node.text) ? Number(node.text) : Number.NaN;
    if (value >= min && value <= max) return value;
    return refuse(`must be a whole number from ${min} to ${max}`, node, path, report);
  };
}

/** With a sign and a fraction, if need be. */
export const decimal: Reader<number> = (node, path, report) =>
  node.kind === 'scalar' && node.plain && /^-?\d{1,15}(\.\d{1,15})?$/.test(node.text)
    ? Number(node.text)
    : refuse('must be a number such as 0.5', node, path, report);

export const flag: Reader<boolean> = (node, path, report) =>
  node.kind === 'scalar' && node.plain && /^(true|false)$/.test(node.text)
    ? node.text === 'true'
    : refuse('must be true or false', node, path, report);

/** Whole percent, as a number. */
export const percentage: Reader<number> = (node, path, report) =>
  node.kind === 'scalar' && /^\d{1,3}%$/.test(node.text)
    ? Number(node.text.slice(0, -1))
    : refuse('must be a whole percentage such as 5%', node, path, report);

/** A header or a cookie, as `headgate pin` takes it. */
export const marker: Reader<Marker> = (node, path, report) =>
  (node.kind === 'scalar' ? readMarker(node.text) : undefined) ?? refuse(markerRule, node, path, report);

const msOfUnit: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `3m` in milliseconds; `undefined` for what is no duration. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = msOfUnit[unit];
  return ms === undefined ? undefined : Number(amount) * ms;
}

/** In milliseconds. */
export const duration: Reader<number> = (node, path, report) => {
  const ms = node.kind === 'scalar' ? durationMs(node.text) : undefined;
  if (ms !== undefined) return ms;
  return refuse('must be a duration in ms, s, m or h such as 500ms, 10s, 3m or 2h', node, path, report);
};

function entriesOf(node: Node, path: Path, report: Report): ReadonlyMap<string, Node> | undefined {
  return node.kind === 'map' ? node.entries : refuse('must be a map', node, path, report);
}

function refuse(rule: string, node: Node, path: Path, report: Report): undefined {
  if (node.kind === 'broken') return undefined;
  const value = isEmpty(node) ? 'nothing' : describe(node);
  report({ path, rule, at: node.place.at, value });
  return undefined;
}
