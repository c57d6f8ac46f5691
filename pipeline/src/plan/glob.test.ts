import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matcher, startFolders } from './glob.ts';

const name = fc.stringMatching(/^[a-z.$+()[\]^|\\-]{1,6}$/);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));

describe('matcher()', () => {
  test.each([
    { glob: 'src/*.ts', takes: ['src/a.ts', 'src/.ts'], leaves: ['src/a/b.ts', 'src/a.tsx', 'lib/src/a.ts'] },
    { glob: 'src/**', takes: ['src/a', 'src/a/b.ts'], leaves: ['src', 'srcs/a'] },
    { glob: '**/*.ts', takes: ['a.ts', 'a/b/c.ts'], leaves: ['a.ts/b'] },
    { glob: 'src/**/x.ts', takes: ['src/x.ts', 'src/a/b/x.ts'], leaves: ['src/ax.ts', 'x.ts'] },
    { glob: '*.{ts,js}', takes: ['a.ts', 'a.js'], leaves: ['a.tsx', 'a.{ts,js}'] },
    { glob: 'package.json', takes: ['package.json'], leaves: ['packageXjson', 'a/package.json'] },
  ])('reads $glob as a shell does', ({ glob, takes, leaves }) => {
    expect(takes.filter(matcher([glob]))).toEqual(takes);
    expect(leaves.filter(matcher([glob]))).toEqual([]);
  });

  test('lets the later glob win', () => {
    const takes = matcher(['src/**', '!src/**/*.test.ts', 'src/kept.test.ts']);

    expect(['src/a.ts', 'src/a.test.ts', 'src/kept.test.ts'].filter(takes)).toEqual(['src/a.ts', 'src/kept.test.ts']);
  });

  test('takes a path without wildcards for itself, whatever characters it has', () => {
    fc.assert(
      fc.property(path, path, (one, other) => {
        expect(matcher([one])(other)).toBe(one === other);
      }),
    );
  });

  test('takes everything below a folder, and nothing beside it', () => {
    fc.assert(
      fc.property(path, path, (folder, below) => {
        expect(matcher([`${folder}/**`])(`${folder}/${below}`)).toBe(true);
        expect(matcher([`${folder}/**`])(`${folder}x/${below}`)).toBe(false);
      }),
    );
  });
});

describe('startFolders()', () => {
  test.each([
    { globs: ['services/a/src/**', 'services/a/src/deep/*.ts'], folders: ['services/a/src'] },
    { globs: ['a/*.ts', 'ab/*.ts'], folders: ['a', 'ab'] },
    { globs: ['package.json', 'src/**'], folders: [''] },
    { globs: ['src/{a,b}/*.ts', '!lib/**'], folders: ['src'] },
    { globs: [], folders: [] },
  ])('of $globs are $folders', ({ globs, folders }) => {
    expect(startFolders(globs)).toEqual(folders);
  });

  test('leave out no folder in which a match lies', () => {
    const part = fc.oneof(name, fc.constantFrom('*', '**', '{a,b}'));
    const glob = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(glob, { minLength: 1, maxLength: 3 }), path, (globs, file) => {
        fc.pre(matcher(globs)(file));
        expect(startFolders(globs).some((folder) => folder === '' || file.startsWith(`${folder}/`))).toBe(true);
      }),
      { numRuns: 200, maxSkipsPerRun: 1_000 },
    );
  });
});
