import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { replayOf } from '../engine/replay.ts';
import { saidIn } from '../report/replay.ts';
import { csvColumns, readEvidenceCsv } from './evidence-csv.ts';

const head = csvColumns.join(',');

function read(csv: string) {
  const answer = readEvidenceCsv(csv);
  if (answer.kind === 'issues') throw new Error(JSON.stringify(answer.issues));
  return answer.entries;
}

test("readEvidenceCsv() reads the README's example, and the judge says of it what the README says", () => {
  const readme = readFileSync(join(import.meta.dirname, '../judge/README.md'), 'utf8');
  const [, example = ''] = /```csv\n([^`]*)```/.exec(readme) ?? [];
  const [, told = ''] = /^ {2}(after .*: rollback, as .*)$/m.exec(readme) ?? [];

  const [said] = saidIn(replayOf(read(example), {})!.recorded);

  expect(told).toBe(`after ${said?.afterSec} s, at ${said?.share} %: ${said?.kind}, as ${said?.text}`);
});

test('readEvidenceCsv() takes lines without a share at the beginning for history, and a new share for a change of weight', () => {
  const entries = read(`${head}\r\n300,0,100,1,2,0,0,0\r\n10,5,95,0,1,5,0,0\r\n10.5,25,75,0,0,25,1,0\r\n`);

  expect(entries.map(({ kind }) => kind)).toEqual(['start', 'prime', 'share', 'sample', 'share', 'sample']);
  expect(entries[1]).toMatchObject({ at: 300_000, seconds: 300, live: { requests: 100, failed: 1, refused: 2 } });
  expect(entries[5]).toMatchObject({
    at: 320_500,
    sample: { seconds: 10.5, candidateShare: 25, candidate: { requests: 25, failed: 1, refused: 0 } },
  });
});

test('readEvidenceCsv() takes columns in any order', () => {
  const turned = [...csvColumns].reverse().join(',');

  expect(read(`${turned}\n0,1,5,2,3,95,5,10\n`)).toEqual(read(`${head}\n10,5,95,3,2,5,1,0\n`));
});

test.each([
  { csv: '', line: 1, says: 'missing is seconds,share' },
  { csv: `${head},colour\n10,5,95,0,0,5,0,0,9\n`, line: 1, says: 'no other: current value is "colour"' },
  { csv: `${head},share\n10,5,95,0,0,5,0,0,5\n`, line: 1, says: 'once and no other: current value is "share"' },
  { csv: `${head}\n`, line: 1, says: 'must be followed by 1 to' },
  { csv: `${head}\n10,5,95,0,0,5,0\n`, line: 2, says: 'must have 8 numbers' },
  { csv: `${head}\n10,5,95,0,0,5,0,0\n\n10,5,95,0,0,5,0,0\n`, line: 3, says: 'current value is ""' },
  { csv: `${head}\n0,5,95,0,0,5,0,0\n`, line: 2, says: 'seconds must be a number above 0' },
  { csv: `${head}\n10,100,95,0,0,5,0,0\n`, line: 2, says: 'share must be whole percent from 0 to 99' },
  {
    csv: `${head}\n10,5,9e1,0,0,5,0,0\n`,
    line: 2,
    says: 'live_requests must be a whole number: current value is "9e1"',
  },
  { csv: `${head}\n10,5,95,0,0,5,-1,0\n`, line: 2, says: 'candidate_failed must be a whole number' },
  {
    csv: `${head}\n10,5,95,0,0,5,3,3\n`,
    line: 2,
    says: 'candidate_requests must be at least failed and refused together, 6',
  },
  { csv: `${head}\n10,0,95,0,0,0,0,0\n`, line: 2, says: 'share must be above 0' },
])('readEvidenceCsv() refuses line $line: $says', ({ csv, line, says }) => {
  const answer = readEvidenceCsv(csv);

  expect(answer).toMatchObject({
    kind: 'issues',
    issues: expect.arrayContaining([{ line, text: expect.stringContaining(says) }]),
  });
});

test('readEvidenceCsv() names every line that is wrong', () => {
  const answer = readEvidenceCsv(`${head}\n10,5,x,0,0,5,0,0\n10,5,95,0,0,5,0,0\n10,5,95,0,y,5,z,0\n`);

  expect(answer).toMatchObject({ issues: [{ line: 2 }, { line: 4 }, { line: 4 }] });
});
