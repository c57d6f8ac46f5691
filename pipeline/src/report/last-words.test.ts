import type { Head } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { headFallenBy } from './fallen.rig.ts';
import { lastWordsOf, withLastWords } from './last-words.ts';

const wordsOf = (lines: readonly string[], own = {}, env = {}) =>
  lastWordsOf(headFallenBy(lines, own) as unknown as Head, 7, env);

describe('lastWordsOf()', () => {
  test('has the lines as they are, without colours and blank ones', () => {
    expect(wordsOf(['\u001b[31mError: no table\u001b[0m', ' ', '\tat main.js:3', '##[error]owned\rx'])).toEqual([
      'Error: no table',
      '\tat main.js:3',
      '##[error]owned x',
    ]);
  });

  test("hides secrets, ours and those of the app's own variables, also over two lines", () => {
    const own = { DATABASE_PASSWORD: 'hunter2-hunter2', URL: 'postgres://kim:s3same-open@db/x', LOG_LEVEL: 'debug' };
    const lines = [
      'log in with hunter2-hunter2 at debug',
      'no postgres://kim:s3same-open@db/x',
      'first-',
      'second-half',
    ];

    expect(wordsOf(lines, own, { NPM_TOKEN: 'first-\nsecond-half' })).toEqual([
      'log in with *** at debug',
      'no ***',
      '***',
    ]);
  });

  test('is empty for another release', () => {
    expect(lastWordsOf(headFallenBy(['Error: no table']) as unknown as Head, 6, {})).toEqual([]);
  });
});

test('withLastWords() adds the last ten lines that do not repeat the sentence', () => {
  const lines = [...Array.from({ length: 12 }, (_, n) => `line ${n}`), 'failed', 'try again', ''];

  expect(withLastWords('failed\ntry again', lines).split('\n')).toEqual(['failed', 'try again', ...lines.slice(2, 12)]);
});
