import { describe, expect, test } from '@jest/globals';
import { type Reading, SourceMemory } from './sources.ts';

const own = 'ratings-blue';
const both = ['ratings-blue', 'ratings-green'];

function list(sequence: number, streams: unknown, atMs = 1_000 + sequence): Reading {
  return { kind: 'list', version: { sequence, atMs }, text: JSON.stringify(streams) };
}

/** What is known after these readings. */
function after(...readings: readonly Reading[]): readonly string[] | undefined {
  const memory = new SourceMemory(own, both);
  for (const reading of readings) memory.learn(reading);
  return memory.streams;
}

const failed: Reading = { kind: 'failed', why: 'timeout' };
const absent: Reading = { kind: 'absent' };
const noBucket: Reading = { kind: 'no-bucket' };

describe('SourceMemory', () => {
  test.each<{ name: string; readings: Reading[]; streams: readonly string[] | undefined }>([
    { name: 'knows nothing before it could ask', readings: [failed], streams: undefined },
    { name: 'pulls its own lane where nobody keeps a list', readings: [noBucket], streams: [own] },
    { name: 'pulls its own lane where the list has no key', readings: [absent], streams: [own] },
    { name: 'follows the list', readings: [list(1, both)], streams: both },
    { name: 'takes an empty list as it is', readings: [list(1, [])], streams: [] },
    { name: 'ignores a replica that lags', readings: [list(2, []), list(1, both, 900)], streams: [] },
    { name: 'believes a bucket that was made anew', readings: [list(9, []), list(1, both, 9_000)], streams: both },
    { name: 'holds what it knew while the bucket has no leader', readings: [list(1, []), noBucket], streams: [] },
    { name: 'holds what it knew while nobody answers', readings: [list(1, []), failed, failed], streams: [] },
    { name: 'forgives one absence', readings: [list(1, []), absent], streams: [] },
    {
      name: 'forgives two absences with the key between',
      readings: [list(1, []), absent, list(1, []), absent],
      streams: [],
    },
    { name: 'takes a key absent twice running as gone', readings: [list(1, []), absent, absent], streams: [own] },
    {
      name: 'takes a list put again after that',
      readings: [list(5, []), absent, absent, list(6, both)],
      streams: both,
    },
    { name: 'counts a stream once', readings: [list(1, [own, own])], streams: [own] },
  ])('$name', ({ readings, streams }) => {
    expect(after(...readings)).toEqual(streams);
  });

  test.each([
    { text: '["other-blue"]' },
    { text: '["ratings-blue", "ratings-*"]' },
    { text: '{"a":1}' },
    { text: 'ratings-blue' },
    { text: '"ratings-blue"' },
  ])('refuses $text, says so, and keeps what it knew', ({ text }) => {
    const memory = new SourceMemory(own, both);
    memory.learn(list(1, []));

    const learnt = memory.learn({ kind: 'list', version: { sequence: 2, atMs: 2_000 }, text });

    expect(learnt).toMatchObject({ newer: false, problem: expect.stringContaining('ratings-blue, ratings-green') });
    expect(memory.streams).toEqual([]);
  });

  test('learn() tells whether the version was newer, even when the streams are the same', () => {
    const memory = new SourceMemory(own, both);

    expect([list(1, both), list(1, both), list(2, both)].map((reading) => memory.learn(reading).newer)).toEqual([
      true,
      false,
      true,
    ]);
  });
});
