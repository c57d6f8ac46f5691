import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { changedParts, type KeyParts, keyText } from './key.ts';

function parts(over: Partial<KeyParts> = {}): KeyParts {
  return {
    step: 'image',
    code: 'c0',
    files: { 'src/main.ts': '-f0', 'src/run.sh': 'xf1' },
    env: { NODE_ENV: 'unset' },
    values: { port: 8080 },
    made: { bundle: 'b0' },
    tools: { node: 'v20.20.2' },
    needs: { lint: 'n0' },
    platform: 'linux-x64',
    ...over,
  };
}

// Few names and hashes, so that two draws are often equal in most of their parts.
const hashes = fc.dictionary(fc.constantFrom('a', 'b', '1', '__proto__', 'constructor'), fc.constantFrom('x', 'y'), {
  maxKeys: 3,
});
const anyParts: fc.Arbitrary<KeyParts> = fc.record({
  step: fc.constant('image'),
  code: fc.constantFrom('c0', 'c1'),
  files: hashes,
  env: hashes,
  values: fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
  made: hashes,
  tools: hashes,
  needs: hashes,
  platform: fc.constantFrom('linux-x64', 'linux-arm64'),
});
const partNames = ['code', 'files', 'env', 'values', 'made', 'tools', 'needs', 'platform'] as const;

/** The same value with the keys of every record in the opposite order. */
function turned<T>(value: T): T {
  if (Array.isArray(value)) return value.map(turned) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, turned(inner)]),
  ) as T;
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('keyText()', () => {
  test('stays the same in whatever order the inputs are told', () => {
    fc.assert(
      fc.property(anyParts, (some) => {
        expect(keyText(turned(some))).toBe(keyText(some));
      }),
    );
  });

  test('differs exactly when a part does', () => {
    fc.assert(
      fc.property(anyParts, anyParts, fc.constantFrom(...partNames), (some, others, name) => {
        const other = { ...some, [name]: others[name] };
        const equal = isDeepStrictEqual(asJson(some[name]), asJson(others[name]));
        expect(keyText(other) === keyText(some)).toBe(equal);
      }),
    );
  });

  test.each([
    { what: 'the content of a file', over: { files: { 'src/main.ts': '-f9', 'src/run.sh': 'xf1' } } },
    { what: 'an executable bit', over: { files: { 'src/main.ts': '-f0', 'src/run.sh': '-f1' } } },
    { what: 'a file more', over: { files: { ...parts().files, 'src/new.ts': '-f2' } } },
    { what: 'a file less', over: { files: { 'src/main.ts': '-f0' } } },
    { what: 'a variable set to nothing', over: { env: { NODE_ENV: 'e3b0c442' } } },
    { what: 'a value', over: { values: { port: 8081 } } },
    { what: 'what is made of the files', over: { made: { bundle: 'b1' } } },
    { what: 'a tool', over: { tools: { node: 'v22.0.0' } } },
    { what: 'the output of a need', over: { needs: { lint: 'n1' } } },
    { what: 'the code', over: { code: 'c1' } },
    { what: 'the platform', over: { platform: 'darwin-arm64' } },
    { what: 'the step', over: { step: 'other' } },
  ])('is another for $what', ({ over }) => {
    expect(keyText(parts(over))).not.toBe(keyText(parts()));
  });
});

describe('changedParts()', () => {
  test('is empty exactly when the keys of a step are equal', () => {
    fc.assert(
      fc.property(anyParts, anyParts, fc.subarray([...partNames]), (some, others, names) => {
        const other = { ...some, ...Object.fromEntries(names.map((name) => [name, others[name]])) };
        expect(changedParts(some, other).length === 0).toBe(keyText(some) === keyText(other));
      }),
    );
  });

  test('says what a person would call it', () => {
    const now = parts({
      code: 'c1',
      files: { 'src/main.ts': '-f9', 'src/new.ts': '-f2' },
      env: { NODE_ENV: 'e1' },
      values: {},
      made: { bundle: 'b1' },
      tools: { node: 'v22' },
      needs: { lint: 'n1' },
      platform: 'darwin-arm64',
    });

    expect(changedParts(parts(), now)).toEqual([
      'file src/main.ts',
      'file src/new.ts',
      'file src/run.sh',
      'env NODE_ENV',
      'value port',
      'tool node',
      'output of lint',
      'code of the step',
      'platform',
    ]);
  });

  test('tells what is made of the files where none of them has changed', () => {
    expect(changedParts(parts(), parts({ made: { bundle: 'b1' } }))).toEqual(['settings of bundle']);
  });
});
