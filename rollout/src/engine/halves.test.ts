import { expect, test } from '@jest/globals';
import type { ProcessSeen } from '../metrics/processes.ts';
import { asLanes, halve } from './halves.ts';

const proxy = (id: string): ProcessSeen => ({ id, ready: true, series: { requests: 1, latency: 1 } });
const worker = (id: string): ProcessSeen => ({ id, ready: true, series: { acked: 1 } });
const none = new Map<string, never>();

test('halve() gives each half as many of a kind', () => {
  const seen = [proxy('a'), proxy('b'), worker('c'), proxy('d'), worker('e')];

  const { blue, green } = asLanes(halve(none, seen), seen);

  expect(blue.map(({ id }) => id)).toEqual(['a', 'c', 'd']);
  expect(green.map(({ id }) => id)).toEqual(['b', 'e']);
});

test('halve() leaves a process where it is, and puts a new one where one is missing', () => {
  const before = halve(none, [proxy('a'), proxy('b')]);

  const after = halve(before, [proxy('b'), proxy('c')]);

  expect([...after]).toEqual([
    ['b', 'green'],
    ['c', 'blue'],
  ]);
});

test('halve() waits for a process that has not said yet what it is', () => {
  const starting: ProcessSeen = { id: 'c', ready: false, series: undefined };

  const halves = halve(none, [proxy('a'), proxy('b'), starting]);

  expect(halves.has('c')).toBe(false);
});
