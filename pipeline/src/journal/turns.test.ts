import { describe, expect, test } from '@jest/globals';
import type { RunEvent } from '../event.ts';
import { doerOf, joined, lastOf, newest } from './turns.ts';

const start = (at: number, actor: string): RunEvent => ({
  at,
  kind: 'run.start',
  run: 'r',
  pipeline: 'p',
  commit: 'c',
  dirty: false,
  actor,
  resumed: false,
  steps: ['publish'],
});
const end = (at: number): RunEvent => ({ at, kind: 'run.end', outcome: 'failed', ms: 1 });
const intent = (at: number, what = 'push'): RunEvent => ({ at, kind: 'intent', step: 'publish', what });
const done = (at: number, acted = true): RunEvent => ({
  at,
  kind: 'step.done',
  step: 'publish',
  ms: 1,
  acted,
  attempts: 1,
  values: null,
});

describe('joined()', () => {
  test('has the turns of both in order of time, and of one that both know the longer account', () => {
    const [a, b] = [
      [start(1, 'a'), intent(2), done(3)],
      [start(5, 'b'), end(6)],
    ];

    expect(joined([...a.slice(0, 2), ...b], a)).toEqual([...a, ...b]);
    expect(joined(b, a)).toEqual([...a, ...b]);
  });

  test('two starts in one moment are two if they are of two', () => {
    expect(joined([start(1, 'a')], [start(1, 'b')])).toHaveLength(2);
  });
});

describe('newest()', () => {
  const all = [start(1, 'a'), intent(2), end(3), start(4, 'b'), intent(5, 'x'.repeat(100)), done(6)];
  const bytes = (events: readonly RunEvent[]) => events.reduce((sum, one) => sum + JSON.stringify(one).length + 1, 0);

  test('is all that fits', () => {
    expect(newest(all, bytes(all))).toEqual(all);
    expect(newest(all, bytes(all.slice(3)))).toEqual(all.slice(3));
  });

  test('keeps the start of a turn that it cuts', () => {
    expect(newest(all, bytes(all.slice(5)) + 50)).toEqual([all[3], all[5]]);
  });
});

describe('lastOf()', () => {
  test.each([
    { what: 'nobody', events: [], is: undefined },
    { what: 'one that was killed', events: [start(1, 'a'), intent(7)], is: { actor: 'a', at: 7, outcome: undefined } },
    { what: 'one that ended', events: [start(1, 'a'), end(9)], is: { actor: 'a', at: 9, outcome: 'failed' } },
  ])('is $what', ({ events, is }) => {
    expect(lastOf(events)).toEqual(is);
  });
});

describe('doerOf()', () => {
  test.each([
    { what: 'who finished it', events: [start(1, 'a'), intent(2), done(3)], is: { actor: 'a', at: 3, finished: true } },
    { what: 'who began it', events: [start(1, 'a'), intent(2)], is: { actor: 'a', at: 2, finished: false } },
    { what: 'nobody who only looked', events: [start(1, 'a'), done(2, false)], is: undefined },
    {
      what: 'not who looked last',
      events: [start(1, 'a'), intent(2), done(3), start(4, 'b'), done(5, false)],
      is: { actor: 'a', at: 3, finished: true },
    },
  ])('is $what', ({ events, is }) => {
    expect(doerOf('publish', events)).toEqual(is);
  });
});
