import { describe, expect, test } from '@jest/globals';
import { changeFor } from './bootstrap.ts';
import type { QueueObject } from './description.ts';
import { differences } from './difference.ts';

describe('differences()', () => {
  test.each([
    {
      what: 'server defaults',
      current: { a: 1, max_msgs: -1, sealed: false, compression: 'none', consumer_limits: {} },
    },
    { what: 'the metadata of the server', current: { a: 1, metadata: { '_nats.ver': '2.15.1' } } },
    { what: 'a fence', current: { a: 1, pause_until: '2026-11-25T00:00:00Z' } },
  ])('leaves $what apart', ({ current }) => {
    expect(differences({ a: 1 }, current)).toEqual([]);
  });

  test('takes subjects as a set', () => {
    expect(differences({ subjects: ['a', 'b'] }, { subjects: ['b', 'a'] })).toEqual([]);
    expect(differences({ subjects: ['a'] }, { subjects: ['b', 'a'] })).toHaveLength(1);
  });

  test('names a changed field, a field that an old server dropped, one that somebody set by hand, and nested ones', () => {
    const wanted = { max_age: 120, no_ack: true, metadata: { 'headgate.lane': 'blue' } };
    const current = { max_age: 60, max_msgs: 10, metadata: { 'headgate.lane': 'green', '_nats.level': '5' } };

    expect(differences(wanted, current)).toEqual([
      { field: 'max_age', wanted: 120, current: 60 },
      { field: 'max_msgs', wanted: undefined, current: 10 },
      { field: 'metadata.headgate.lane', wanted: 'blue', current: 'green' },
      { field: 'no_ack', wanted: true, current: undefined },
    ]);
  });
});

describe('changeFor()', () => {
  const object: QueueObject = { kind: 'stream', name: 's', config: { subjects: ['a', 'b'], max_age: 1 } };

  test.each([
    { what: 'makes what is missing', current: undefined, kind: 'make' },
    { what: 'leaves alone what is equal', current: { subjects: ['a', 'b'], max_age: 1 }, kind: undefined },
    { what: 'adds a subject', current: { subjects: ['a'], max_age: 1 }, kind: 'addSubjects' },
    { what: 'refuses to take a subject away', current: { subjects: ['a', 'b', 'c'], max_age: 1 }, kind: 'refuse' },
    { what: 'refuses to swap a subject', current: { subjects: ['a', 'c'], max_age: 1 }, kind: 'refuse' },
    { what: 'refuses another limit', current: { subjects: ['a'], max_age: 2 }, kind: 'refuse' },
  ])('$what', ({ current, kind }) => {
    expect(changeFor(object, current)?.kind).toBe(kind);
  });
});
