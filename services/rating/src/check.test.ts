import { describe, expect, test } from '@jest/globals';
import { Checks, ITEMS_MAX } from './check.ts';

const id = '0b5fe0a4-6f0e-4a37-9a39-0f9d1c1b8f10';
const other = '6f0c7f1e-1d0e-4ab7-8a5a-3f3f1f0a9c11';

/** What the reader gave, and what it found wrong. */
function look<T>(read: (checks: Checks) => T): { readonly got: T; readonly issues: readonly string[] } {
  const checks = new Checks();
  const got = read(checks);
  return { got, issues: checks.issues.map(({ path, message }) => `${path}: ${message}`) };
}

describe('Checks.items()', () => {
  test('gives each object with its path', () => {
    expect(look((checks) => checks.items({ items: [{ a: 1 }, {}] }))).toEqual({
      got: [
        { path: 'items[0]', item: { a: 1 } },
        { path: 'items[1]', item: {} },
      ],
      issues: [],
    });
  });

  test.each([
    { body: undefined, says: 'none' },
    { body: [], says: 'none' },
    { body: { items: {} }, says: '{}' },
    { body: { items: [] }, says: '0' },
    { body: { items: Array.from({ length: ITEMS_MAX + 1 }, () => ({})) }, says: '1001' },
  ])('refuses a body whose items are $says', ({ body, says }) => {
    const { got, issues } = look((checks) => checks.items(body));

    expect(got).toEqual([]);
    expect(issues).toEqual([`items: must be a list of 1 to 1000: current value is ${says}`]);
  });

  test('refuses what is no object where it stands, and keeps the rest', () => {
    const { got, issues } = look((checks) => checks.items({ items: [1, { a: 1 }, null, []] }));

    expect(got).toEqual([{ path: 'items[1]', item: { a: 1 } }]);
    expect(issues).toEqual([
      'items[0]: must be an object: current value is 1',
      'items[2]: must be an object: current value is null',
      'items[3]: must be an object: current value is []',
    ]);
  });
});

describe('Checks.ids()', () => {
  test.each([
    { query: {}, body: {}, got: undefined },
    { query: { ids: `${id},${other}` }, body: {}, got: [id, other] },
    { query: { ids: [id, other] }, body: {}, got: [id, other] },
    { query: {}, body: { ids: [id] }, got: [id] },
    { query: { ids: id.toUpperCase() }, body: { ids: [id, other] }, got: [id, other] },
  ])('reads $query and $body as $got', ({ query, body, got }) => {
    expect(look((checks) => checks.ids(query, body))).toEqual({ got, issues: [] });
  });

  test.each([
    { query: { ids: '' }, says: 'ids[0]: must be a UUID: current value is ""' },
    { query: { ids: `${id},x` }, says: 'ids[1]: must be a UUID: current value is "x"' },
    { query: { ids: 7 }, says: 'ids[0]: must be a UUID: current value is 7' },
    { query: { ids: Array(ITEMS_MAX + 1).fill(id) }, says: 'ids: must be at most 1000: current value is 1001' },
  ])('refuses $query', ({ query, says }) => {
    expect(look((checks) => checks.ids(query, {})).issues).toEqual([says]);
  });
});

describe('Checks.name()', () => {
  test.each(['Ada', 'naïve 😀', 'x'.repeat(200)])('takes %j', (value) => {
    expect(look((checks) => checks.name('name', value))).toEqual({ got: value, issues: [] });
  });

  test.each(['', 'x'.repeat(201), 'a\u0000b', 'line\nbreak', '\ud800', 7, undefined])('refuses %j', (value) => {
    expect(look((checks) => checks.name('name', value)).issues).toHaveLength(1);
  });
});

describe('Checks.whole()', () => {
  test.each([0, 5])('takes the bound %d', (value) => {
    expect(look((checks) => checks.whole('score', value, { min: 0, max: 5 }))).toEqual({ got: value, issues: [] });
  });

  test.each([-1, 6, 2.5, '3', null, Number.NaN, undefined])('refuses %j', (value) => {
    expect(look((checks) => checks.whole('score', value, { min: 0, max: 5 })).issues).toHaveLength(1);
  });

  test('of a query is digits alone', () => {
    const read = (value: unknown) => look((checks) => checks.wholeText('limit', value, { min: 1, max: 1_000 }));

    expect(read('10')).toEqual({ got: 10, issues: [] });
    expect(read('1e2').issues).toEqual(['limit: must be a whole number from 1 to 1000: current value is "1e2"']);
    expect(read(['1', '2']).issues).toHaveLength(1);
    expect(read('9999999999').issues).toHaveLength(1);
  });
});

test('Checks.issues counts what is past a hundred, and shortens what is long', () => {
  const { issues } = look((checks) => {
    for (let i = 0; i < 130; i++) checks.uuid(`ids[${i}]`, 'y'.repeat(500));
  });

  expect(issues).toHaveLength(101);
  expect(issues[100]).toBe(': and 30 more');
  expect(issues[0]?.length).toBeLessThan(150);
});
