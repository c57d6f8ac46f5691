import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readConfig as readProxy } from './proxy/src/config.ts';
import { readConfig as readRating } from './rating/src/config.ts';

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
const section = readme.split('\n## Environment of a lane process\n')[1]?.split('\n## ')[0] ?? '';
const rows = section.split('\n').flatMap((line) => {
  const [, name, who, fallback] = /^\| `(\w+)` \| (.*?) \| (.*?) \|/.exec(line) ?? [];
  return name === undefined ? [] : [{ name, who: who ?? '', fallback: fallback ?? '' }];
});

/** Names of the variables that it asks for. */
function asked(read: (env: Readonly<Record<string, string | undefined>>) => unknown): readonly string[] {
  const names = new Set<string>();
  read(
    new Proxy<Record<string, string | undefined>>(
      {},
      {
        get(_env, name) {
          names.add(String(name));
          return undefined;
        },
      },
    ),
  );
  return [...names].sort();
}

test.each([
  { service: 'proxy', read: readProxy },
  { service: 'rating', read: readRating },
])('README names exactly the variables that $service reads', ({ service, read }) => {
  const told = rows.filter(({ who }) => who.split(', ').includes(service)).map(({ name }) => name);

  expect(told.sort()).toEqual(asked(read));
});

test('README has the defaults that the services have', () => {
  const DATABASE_URL = 'postgres://a/b';
  const written = Object.fromEntries(
    rows
      .filter(({ fallback }) => /^`[^<`]*`$/.test(fallback))
      .map(({ name, fallback }) => [name, fallback.slice(1, -1)]),
  );

  expect(Object.keys(written).length).toBeGreaterThan(15);
  expect(readProxy(written)).toEqual(readProxy({}));
  expect(readRating({ ...written, DATABASE_URL })).toEqual(readRating({ DATABASE_URL }));
});
