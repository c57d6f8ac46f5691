import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { closure, fileName, type GraphNode, ordered } from './graph.ts';

function node(id: string, needs: readonly string[] = [], writes: readonly string[] = []): GraphNode {
  return { id, needs: needs.map((need) => ({ id: need })), writes };
}

const ids = (nodes: readonly GraphNode[]) => nodes.map(({ id }) => id);

describe('ordered()', () => {
  test('puts every step after what it needs, and keeps what is written otherwise', () => {
    const nodes = [node('release', ['image', 'lint']), node('lint'), node('image', ['unit']), node('unit')];

    expect(ids(ordered('p', nodes))).toEqual(['unit', 'image', 'lint', 'release']);
  });

  test('gives every step of any graph without circles once, after its needs', () => {
    const graph = fc
      .array(fc.array(fc.nat(9), { maxLength: 4 }), { minLength: 1, maxLength: 10 })
      .map((needs) =>
        needs.map((some, index) =>
          node(
            `s${index}`,
            [...new Set(some)].filter((n) => n < index).map((n) => `s${n}`),
          ),
        ),
      )
      .chain((nodes) => fc.shuffledSubarray(nodes, { minLength: nodes.length }));

    fc.assert(
      fc.property(graph, (nodes) => {
        const order = ids(ordered('p', nodes));
        expect([...order].sort()).toEqual(ids(nodes).sort());
        for (const { id, needs } of nodes) {
          for (const need of needs) expect(order.indexOf(need.id)).toBeLessThan(order.indexOf(id));
        }
      }),
    );
  });

  test.each([
    {
      what: 'a circle, by its steps in order',
      nodes: [node('a', ['c']), node('b', ['a']), node('c', ['b'])],
      says: 'in a circle: a -> c -> b -> a',
    },
    { what: 'a step that needs itself', nodes: [node('a', ['a'])], says: 'in a circle: a -> a' },
    {
      what: 'an unknown need',
      nodes: [node('a', ['b'])],
      says: 'a must need steps of the same pipeline, current value is "b"',
    },
    { what: 'a doubled id', nodes: [node('a'), node('a')], says: 'used once, current value is "a"' },
    {
      what: 'an id with capitals',
      nodes: [node('Lint')],
      says: 'lower-case words joined by - or :, current value is "Lint"',
    },
    { what: 'an id that would leave its folder', nodes: [node('../a')], says: 'current value is "../a"' },
    {
      what: 'two steps that write one file',
      nodes: [node('a', [], ['out/x']), node('b', [], ['out/x'])],
      says: 'written by one step, and a and b write "out/x"',
    },
    {
      what: 'a file inside of a folder that another step writes',
      nodes: [node('a', [], ['out/**']), node('b', [], ['out/deep/x'])],
      says: 'written by one step, and a and b write "out/deep/x"',
    },
    {
      what: 'a folder around the file of another step',
      nodes: [node('a', [], ['out/deep/x']), node('b', [], ['out/**'])],
      says: 'written by one step, and a and b write "out/**"',
    },
    {
      what: 'a path out of the root',
      nodes: [node('a', [], ['../x'])],
      says: 'below the root, current value is "../x"',
    },
    { what: 'an absolute path', nodes: [node('a', [], ['/etc/x'])], says: 'below the root, current value is "/etc/x"' },
    {
      what: 'a glob as output',
      nodes: [node('a', [], ['out/*.js'])],
      says: 'below the root, current value is "out/*.js"',
    },
  ])('refuses $what', ({ nodes, says }) => {
    expect(() => ordered('p', nodes)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(says) }),
    );
  });

  test('says all that is wrong at once', () => {
    const nodes = [node('A'), node('b', ['nobody']), node('c', ['c'])];

    expect(() => ordered('p', nodes)).toThrow(/current value is "A".*current value is "nobody".*circle: c -> c/);
  });

  test.each([
    { what: 'folders whose names only begin alike', a: 'out/**', b: 'output/x' },
    { what: 'files beside each other', a: 'out/x', b: 'out/xy' },
  ])('lets two steps write $what', ({ a, b }) => {
    expect(ids(ordered('p', [node('a', [], [a]), node('b', [], [b])]))).toEqual(['a', 'b']);
  });
});

describe('closure()', () => {
  const order = [node('unit'), node('lint'), node('image', ['unit']), node('release', ['image'])];

  test('brings along what the targets need, and nothing more', () => {
    expect(ids(closure(order, ['image']))).toEqual(['unit', 'image']);
    expect(ids(closure(order, ['release', 'lint']))).toEqual(['unit', 'lint', 'image', 'release']);
  });

  test('names the steps there are when it does not know the target', () => {
    expect(() => closure(order, ['deploy'])).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('unit, lint, image, release') }),
    );
  });
});

test('fileName() gives two ids two names without a colon', () => {
  expect([fileName('image:proxy'), fileName('image-proxy')]).toEqual(['image.proxy', 'image-proxy']);
});
