import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { closedWeights, lanes, type Pin, percent, type Weights, weightsFor } from '../../lane.ts';
import { closedLanes } from '../closed.ts';
import { laneServices } from '../lane-services.ts';
import { newPair } from './new-pair.ts';
import { canaryAnnotations, nextState, type PairState, readPair, unsupportedPins, weightsOf } from './pair.ts';

const names = { app: 'ratings', services: laneServices('ratings'), closed: 'ratings-closed' };
const annotation = (key: string): string => `nginx.ingress.kubernetes.io/canary${key}`;

const aLane = fc.constantFrom(...lanes);
const aState = fc.record({
  main: fc.option(aLane, { nil: undefined }),
  canary: aLane,
  weight: fc.integer({ min: 0, max: 100 }),
  pins: fc.constant([] as Pin[]),
});
const aWeights = fc.oneof(
  fc.constant(closedWeights),
  fc.tuple(aLane, fc.integer({ min: 0, max: 100 })).map(([lane, share]): Weights => weightsFor(lane, percent(share))),
);

function way(from: PairState, wanted: Weights): PairState[] {
  const states = [from];
  for (let next = nextState(from, wanted); next !== undefined; next = nextState(next, wanted)) {
    states.push(next);
    if (states.length > 10) throw new Error('no end');
  }
  return states;
}

describe('nextState()', () => {
  test('arrives at any weights from anywhere, in at most 4 writes', () => {
    fc.assert(
      fc.property(aState, aWeights, (from, wanted) => {
        const states = way(from, wanted);

        expect(weightsOf(states.at(-1)!)).toEqual(wanted);
        expect(states.length).toBeLessThanOrEqual(5);
      }),
    );
  });

  test('gives main to a lane only while the canary leads everything there, and takes nothing from a lane on the way that it shall have', () => {
    fc.assert(
      fc.property(aState, aWeights, (from, wanted) => {
        const states = way(from, wanted);
        for (const [i, state] of states.entries()) {
          const before = states[i - 1];
          if (before?.main === undefined || state.main === undefined || before.main === state.main) continue;

          expect([before.canary, before.weight]).toEqual([state.main, 100]);
          expect(weightsOf(before)).toEqual(weightsOf(state));
        }
      }),
    );
  });

  test('promotes in this order: canary to 100, main to the new lane, canary to the old lane at 0', () => {
    const from: PairState = { main: 'blue', canary: 'green', weight: 50, pins: [] };

    expect(way(from, weightsFor('green', percent(100))).slice(1)).toEqual([
      { ...from, weight: 100 },
      { ...from, weight: 100, main: 'green' },
      { main: 'green', canary: 'blue', weight: 0, pins: [] },
    ]);
  });

  test('goes back in one write', () => {
    const from: PairState = { main: 'blue', canary: 'green', weight: 50, pins: [] };

    expect(way(from, weightsFor('blue', percent(100))).slice(1)).toEqual([{ ...from, weight: 0 }]);
  });
});

describe('pins', () => {
  const state = (pins: readonly Pin[], weight = 5): PairState => ({ main: 'blue', canary: 'green', weight, pins });
  const pin = (header: string, value: string, lane: Pin['lane'] = 'green'): Pin => ({ header, value, lane });

  test('ride on one header and one cookie, each value as it is', () => {
    const pins = [pin('X-Variant', 'a.b'), pin('Cookie', 'beta=always'), pin('x-variant', '(c)')];

    expect(canaryAnnotations(state(pins), 7, names)).toMatchObject({
      [annotation('')]: 'true',
      [annotation('-weight')]: '5',
      [annotation('-weight-total')]: '100',
      [annotation('-by-header')]: 'X-Variant',
      [annotation('-by-header-value')]: undefined,
      [annotation('-by-header-pattern')]: expect.stringMatching(/^\^\(a\\\.b\|\\\(c\\\)\|headgate-[0-9a-f]{24}\)\$$/),
      [annotation('-by-cookie')]: 'beta',
      'headgate.dev/fence': '7',
    });
  });

  test('without a pin only the mark is looked for, by its value', () => {
    expect(canaryAnnotations(state([]), 0, names)).toMatchObject({
      [annotation('-by-header')]: 'Headgate-Probe',
      [annotation('-by-header-value')]: expect.stringMatching(/^headgate-[0-9a-f]{24}$/),
      [annotation('-by-header-pattern')]: undefined,
      [annotation('-by-cookie')]: 'headgate-ratings',
    });
  });

  test.each<{ what: string; pins: readonly Pin[]; weight?: number; why: RegExp | undefined }>([
    { what: 'to main beside a weight', pins: [pin('a', '1', 'blue')], why: /canary only/ },
    { what: 'to main at weight 0, where all goes there', pins: [pin('a', '1', 'blue')], weight: 0, why: undefined },
    { what: 'by two headers', pins: [pin('a', '1'), pin('b', '2')], why: /one header/ },
    { what: 'by one header in two cases', pins: [pin('a', '1'), pin('A', '2')], why: undefined },
    { what: 'by two cookies', pins: [pin('Cookie', 'a=always'), pin('Cookie', 'b=always')], why: /one cookie/ },
    { what: 'by a cookie of another value', pins: [pin('Cookie', 'a=b')], why: /"a=b"/ },
  ])('pins $what', ({ pins, weight, why }) => {
    const found = unsupportedPins(state(pins, weight));

    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(why);
  });
});

test.each<{ state: Omit<PairState, 'pins'>; pinned?: Pin['lane']; closed: readonly string[] }>([
  { state: { main: undefined, canary: 'green', weight: 0 }, closed: ['blue', 'green'] },
  { state: { main: 'blue', canary: 'green', weight: 0 }, closed: ['green'] },
  { state: { main: 'blue', canary: 'green', weight: 1 }, closed: [] },
  { state: { main: 'blue', canary: 'green', weight: 100 }, closed: ['blue'] },
  { state: { main: 'blue', canary: 'green', weight: 0 }, pinned: 'blue', closed: ['green'] },
  { state: { main: 'blue', canary: 'green', weight: 0 }, pinned: 'green', closed: [] },
])('closedLanes() of $state with a pin to $pinned is $closed', ({ state, pinned, closed }) => {
  const pins = pinned === undefined ? [] : [{ header: 'X-Variant', value: 'b', lane: pinned }];

  expect(closedLanes(weightsOf({ ...state, pins }), pins)).toEqual(closed);
});

test('newPair() is closed, whole and without a pin', () => {
  const { main, canary } = newPair(
    { name: 'ratings', ingressClassName: 'nginx', host: undefined, paths: ['/api'], port: 80 },
    names,
  );

  expect(readPair(main, canary, names)).toEqual({
    kind: 'read',
    state: { main: undefined, canary: 'green', weight: 0, pins: [] },
    fence: 0,
    whole: true,
  });
});
