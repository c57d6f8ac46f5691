import { secretsOf } from './secrets.ts';

type Variables = Readonly<Record<string, string>>;

/** Variables of a service that are not for a screen: those named like secrets, and addresses with a password. */
export function hiddenIn(env: Variables): Variables {
  const addresses = Object.entries(env).filter(([, value]) => /:\/\/[^/\s@]*:[^/\s@]+@/.test(value));
  return { ...secretsOf(env), ...Object.fromEntries(addresses) };
}

/** Such values anywhere in objects of Kubernetes: under their names, as in ConfigMaps, or as `{ name, value }`, as in containers. */
export function hiddenInside(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const isText = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === 'string';
  const texts = Object.entries(value).filter(isText);
  const { name, value: named } = Object.fromEntries(texts);
  const all = name === undefined || named === undefined ? texts : [...texts, [name, named] as const];
  // A whole file with an address in it is no secret; each of its lines would be hidden.
  const lines = all.filter(([, text]) => !text.includes('\n'));
  const own = { ...secretsOf(Object.fromEntries(all)), ...hiddenIn(Object.fromEntries(lines)) };
  return [...new Set([...Object.values(own), ...Object.values(value).flatMap(hiddenInside)])];
}
