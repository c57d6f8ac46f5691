import { expect, test } from '@jest/globals';
import { openLog, sparing, wordsOf } from './log.ts';

test('openLog() writes one line of JSON that says who speaks', () => {
  const lines: string[] = [];
  const log = openLog({ lane: 'blue' }, (line) => lines.push(line) > 0);

  log('started', { why: 'a\nb', lane: 'red' });

  expect(lines).toHaveLength(1);
  expect(lines[0]?.endsWith('\n')).toBe(true);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ event: 'started', why: 'a\nb', lane: 'blue' });
});

test('sparing() lets one of a kind through, then says how many it left out', () => {
  const seen: unknown[] = [];
  let now = 0;
  const log = sparing(
    (event, data) => seen.push([event, data]),
    1_000,
    () => now,
  );

  for (now = 0; now < 1_000; now += 100) log('bad', { now });
  log('worse');
  now = 1_000;
  log('bad', { now });

  expect(seen).toEqual([
    ['bad', { now: 0 }],
    ['worse', {}],
    ['bad', { now: 1_000, omitted: 9 }],
  ]);
});

test.each([
  { error: new Error('a'), words: 'a' },
  { error: 'b', words: 'b' },
  { error: new AggregateError([new Error('c'), 'd']), words: 'c; d' },
])('wordsOf() gives $words', ({ error, words }) => {
  expect(wordsOf(error)).toBe(words);
});
