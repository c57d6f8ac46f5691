import { canonicalJson } from '@headgate/rollout';

/** Raised when equal keys would no longer mean equal results. */
const apiVersion = 2;

/** All that a pure step's result is a function of. Hashes are sha256 in hex; a record's key is what a person would call it. */
export type KeyParts = {
  readonly step: string;
  /** Of the modules whose code the step runs. */
  readonly code: string;
  /** Path relative to the root -> `<x or -><hash>`: executable bit and content. */
  readonly files: Readonly<Record<string, string>>;
  /** Declared variables alone; a hash, because keys are written to disk. Unset differs from empty. */
  readonly env: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
  /** What is made of the files -> hash. */
  readonly made: Readonly<Record<string, string>>;
  readonly tools: Readonly<Record<string, string>>;
  /** Of the outputs of each need that has some, as they are after it ran. */
  readonly needs: Readonly<Record<string, string>>;
  /** e.g. `linux-x64`. */
  readonly platform: string;
};

/** The text whose hash is the step's key. */
export function keyText(parts: KeyParts): string {
  return canonicalJson({ apiVersion, ...parts });
}

/** What a person would say has changed, e.g. `file src/main.ts`; empty if the keys are equal. */
export function changedParts(before: KeyParts, now: KeyParts): readonly string[] {
  const files = changedNames('file', before.files, now.files);
  // What is made of a file is no news beside it. Results that an older Headgate has kept have none.
  const made = files.length > 0 ? [] : changedNames('settings of', before.made ?? {}, now.made);
  return [
    ...files,
    ...made,
    ...changedNames('env', before.env, now.env),
    ...changedNames('value', textsOf(before.values), textsOf(now.values)),
    ...changedNames('tool', before.tools, now.tools),
    ...changedNames('output of', before.needs, now.needs),
    ...(before.code === now.code ? [] : ['code of the step']),
    ...(before.platform === now.platform ? [] : ['platform']),
  ];
}

function changedNames(what: string, before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].sort();
  return names.filter((name) => ownValue(before, name) !== ownValue(now, name)).map((name) => `${what} ${name}`);
}

/** `null` stands for none in results that an older Headgate has kept. */
function textsOf(values: KeyParts['values'] | null): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, canonicalJson(value)]));
}

function ownValue(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
