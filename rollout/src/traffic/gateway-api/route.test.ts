import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { closedWeights, type Pin, percent, type Weights, weightsFor } from '../../lane.ts';
import { applied } from '../gateway-api.rig.ts';
import type { HttpRoute, Rule } from '../http-route.ts';
import { laneServices } from '../lane-services.ts';
import { newRoute } from './new-route.ts';
import { markIn, markOf } from './own-rules.ts';
import { changeOf, readRoute, type Said } from './route.ts';

const names = { app: 'ratings', services: laneServices('ratings') };
const half = weightsFor('green', percent(50));
const pin: Pin = { header: 'X-Variant', value: 'b', lane: 'green' };

const lanesBackends = (weight: number): NonNullable<Rule['backendRefs']> => [
  { group: '', kind: 'Service', name: 'ratings-blue', port: 80, weight },
  { group: '', kind: 'Service', name: 'ratings-green', port: 80, weight: 100 - weight },
];

const strip = { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } };

/** A user's own route: two rules with the lanes, one of somebody else between them. */
function aRoute(): HttpRoute {
  return {
    metadata: { name: 'shop', resourceVersion: '7', annotations: { team: 'a' } },
    spec: {
      hostnames: ['shop.example'],
      rules: [
        {
          name: 'api',
          matches: [{ path: { type: 'PathPrefix', value: '/api' } }],
          filters: [strip],
          backendRefs: lanesBackends(100),
        },
        { matches: [{ path: { type: 'PathPrefix', value: '/ui' } }], backendRefs: [{ name: 'frontend', port: 80 }] },
        {
          matches: [
            { path: { type: 'Exact', value: '/ratings' }, headers: [{ type: 'Exact', name: 'a', value: 'b' }] },
          ],
          backendRefs: lanesBackends(100),
        },
      ],
    },
  };
}

function write(route: HttpRoute, said: Said): HttpRoute {
  const changed = changeOf(route, said, names);
  if (changed.kind === 'unsupported') throw new Error(changed.why);
  return applied(route, changed.change);
}

const aWeights = fc.integer({ min: 0, max: 100 }).map((share): Weights => weightsFor('green', percent(share)));
const aPin = fc.record({
  header: fc.constantFrom('X-Variant', 'Cookie', 'Headgate-Probe'),
  value: fc.string({ minLength: 1 }),
  lane: fc.constantFrom('blue' as const, 'green' as const),
});

describe('changeOf()', () => {
  test('writes weights into every rule that has both lanes, and leaves everything else as it is', () => {
    const before = aRoute();

    const after = write(before, { weights: half, pins: [], fence: 3 });

    expect(after.spec.rules?.[0]).toEqual({ ...before.spec.rules?.[0], backendRefs: lanesBackends(50) });
    expect(after.spec.rules?.[1]).toEqual(before.spec.rules?.[1]);
    expect(after.spec.rules?.[2]).toEqual({ ...before.spec.rules?.[2], backendRefs: lanesBackends(50) });
    expect(after.metadata.annotations).toMatchObject({ team: 'a', 'headgate.dev/fence': '3' });
    expect(after.spec.hostnames).toEqual(before.spec.hostnames);
  });

  test('pins are the weighted rules again, with one header more and the pinned Service', () => {
    const { spec } = write(aRoute(), { weights: half, pins: [pin], fence: 1 });

    expect(spec.rules?.slice(4)).toEqual([
      {
        matches: [
          { path: { type: 'PathPrefix', value: '/api' }, headers: [{ type: 'Exact', name: 'X-Variant', value: 'b' }] },
        ],
        filters: [strip],
        backendRefs: [{ group: '', kind: 'Service', name: 'ratings-green-pinned', port: 80, weight: 1 }],
      },
      {
        matches: [
          {
            path: { type: 'Exact', value: '/ratings' },
            headers: [
              { type: 'Exact', name: 'a', value: 'b' },
              { type: 'Exact', name: 'X-Variant', value: 'b' },
            ],
          },
        ],
        backendRefs: [{ group: '', kind: 'Service', name: 'ratings-green-pinned', port: 80, weight: 1 }],
      },
    ]);
  });

  test('what was said is read back whole, whatever was said before, and saying it again changes nothing', () => {
    const aSaid = fc.record({
      weights: fc.oneof(aWeights, fc.constant(closedWeights)),
      pins: fc.array(aPin, { maxLength: 6 }),
      fence: fc.nat(),
    });
    fc.assert(
      fc.property(aSaid, aSaid, (first, second) => {
        const rules = aRoute().spec.rules?.slice(0, 1) ?? [];
        const once = write({ ...aRoute(), spec: { rules } }, first);
        const twice = write(once, second);

        expect(readRoute(twice, names)).toEqual({ kind: 'read', ...second, whole: true });
        expect(changeOf(twice, second, names)).toEqual({
          kind: 'change',
          change: { backends: [], remove: [], append: [], annotations: {} },
        });
        expect(twice.spec.rules?.[0]?.matches).toEqual(rules[0]?.matches);
      }),
    );
  });

  test('too many pins are unsupported, with the limit', () => {
    const swap = (n: number): Pin => ({ header: 'X', value: String(n), lane: n % 2 === 0 ? 'blue' : 'green' });
    const said = (count: number, one: (n: number) => Pin): Said => ({
      weights: half,
      pins: Array.from({ length: count }, (_, n) => one(n)),
      fence: 1,
    });

    expect(changeOf(aRoute(), said(7, swap), names)).toEqual({
      kind: 'unsupported',
      why: 'an HTTPRoute has place for 16 rules, and 18 would be needed',
    });
    expect(changeOf(aRoute(), said(6, swap), names)).toMatchObject({ kind: 'change' });
    expect(
      changeOf(
        aRoute(),
        said(65, (n) => ({ ...pin, value: `${n}` })),
        names,
      ),
    ).toMatchObject({
      kind: 'unsupported',
      why: expect.stringContaining('64 matches'),
    });
  });
});

describe('readRoute()', () => {
  const said: Said = { weights: half, pins: [pin], fence: 2 };

  test.each<[string, (rules: Rule[]) => void, object]>([
    ['weights that differ from the mark', (rules) => setWeights(rules, [0, 2], 75), { kind: 'read', whole: false }],
    ['weights that differ between rules', (rules) => setWeights(rules, [0], 75), { kind: 'astray' }],
    ['weights that do not add up', (rules) => setWeights(rules, [0, 2], 75, 75), { kind: 'astray' }],
    ['a pin that somebody took away', (rules) => void rules.pop(), { kind: 'read', whole: false }],
    ['a mark that is gone', (rules) => void rules.splice(3, 1), { kind: 'read', whole: false }],
    ['no rule with both lanes', (rules) => void rules.splice(0, 3), { kind: 'unfit' }],
  ])('sees %s', (_, change, expected) => {
    const route = write(aRoute(), said);
    const rules = structuredClone(route.spec.rules) as Rule[];
    change(rules);

    expect(readRoute({ ...route, spec: { ...route.spec, rules } }, names)).toMatchObject(expected);
  });

  test('takes pins that nobody can read for not whole', () => {
    const route = write(aRoute(), said);
    for (const written of ['{', '[1]', '{"header":"a"}']) {
      const annotations = { ...route.metadata.annotations, 'headgate.dev/pins': written };

      expect(readRoute({ ...route, metadata: { ...route.metadata, annotations } }, names)).toMatchObject({
        whole: false,
      });
    }
  });

  test('knows the fence of no driver before the first write', () => {
    expect(readRoute(aRoute(), names)).toMatchObject({ kind: 'read', fence: undefined, whole: false });
  });
});

test('newRoute() is closed, whole and without a pin', () => {
  const route = newRoute(
    {
      namespace: 'demo',
      name: 'ratings',
      parentRefs: [{ name: 'main' }],
      hostnames: [],
      paths: ['/api', '/v1'],
      port: 80,
      mark: false,
    },
    names,
  );

  expect(readRoute(route as HttpRoute, names)).toEqual({
    kind: 'read',
    weights: closedWeights,
    pins: [],
    fence: 0,
    whole: true,
  });
});

describe('the mark', () => {
  test('is one for equal weights and pins, and another for others', () => {
    const marks = [
      markOf({ weights: half, pins: [] }),
      markOf({ weights: closedWeights, pins: [] }),
      markOf({ weights: half, pins: [pin] }),
      markOf({ weights: half, pins: [{ ...pin, lane: 'blue' }] }),
      markOf({ weights: half, pins: [{ ...pin, value: 'B' }] }),
    ];

    expect(new Set(marks).size).toBe(marks.length);
    expect(markOf({ weights: half, pins: [{ ...pin }] })).toBe(marks[2]);
    for (const mark of marks) expect(mark).toMatch(/^[a-z0-9-]{1,63}$/);
  });

  test('is found in a redirect of its own only', () => {
    const mark = markOf({ weights: half, pins: [] });

    expect(markIn(`http://${mark}.headgate.invalid:8000/.well-known/headgate/ratings`)).toBe(mark);
    expect(markIn(`https://${mark}.headgate.invalid`)).toBe(mark);
    for (const other of [
      undefined,
      '/login',
      'https://shop.example/?x=http://a.headgate.invalid/',
      'http://a.headgate.invalid.example/',
    ])
      expect(markIn(other)).toBeUndefined();
  });
});

function setWeights(rules: Rule[], places: readonly number[], blue: number, green = 100 - blue): void {
  for (const place of places) {
    const [first, second] = rules[place]!.backendRefs!;
    Object.assign(first!, { weight: blue });
    Object.assign(second!, { weight: green });
  }
}
