import { expect, test } from '@jest/globals';
import { type Growing, type Reading, startGrowing } from './growing.ts';

const reading = (process: string, counts: Record<string, number>, start = '1'): Reading => ({
  process,
  start,
  counts: new Map(Object.entries(counts)),
});

function added(growing: Growing, ...readings: readonly Reading[]): Record<string, number> {
  growing.add(readings);
  return Object.fromEntries(growing.sums);
}

test('add() counts what came since the first reading of each process, over all of them', () => {
  const growing = startGrowing();

  expect(added(growing, reading('a', { x: 100 }), reading('b', { x: 50 }))).toEqual({});
  expect(added(growing, reading('a', { x: 103 }), reading('b', { x: 51, y: 2 }))).toEqual({ x: 4, y: 2 });
  expect(growing.breaks).toBe(0);
});

test('add() counts a process that began anew from nothing, and says so', () => {
  const growing = startGrowing();
  growing.add([reading('a', { x: 100 })]);
  growing.add([reading('a', { x: 110 })]);

  expect(added(growing, reading('a', { x: 3 }, '2'))).toEqual({ x: 13 });
  expect(growing.breaks).toBe(1);
});

test('add() counts nothing twice when a process was out of sight', () => {
  const growing = startGrowing();
  growing.add([reading('a', { x: 100 }), reading('b', { x: 7 })]);
  growing.add([reading('b', { x: 8 })]);

  expect(added(growing, reading('a', { x: 105 }), reading('b', { x: 10 }))).toEqual({ x: 8 });
  expect(growing.breaks).toBe(0);
});

test('add() counts a series from nothing when the process dropped it and began it again', () => {
  const growing = startGrowing();
  growing.add([reading('a', { x: 100 })]);
  growing.add([reading('a', {})]);

  expect(added(growing, reading('a', { x: 100 }))).toEqual({ x: 100 });
});

test('add() takes no old history for news when a process comes into sight late', () => {
  const growing = startGrowing();
  growing.add([reading('a', { x: 1 })]);

  expect(added(growing, reading('a', { x: 2 }), reading('b', { x: 5_000 }))).toEqual({ x: 1 });
});
