import { expect, test } from '@jest/globals';
import { notesIn } from './check-notes.ts';

test('notesIn() takes places from what tsc says', () => {
  const said = "src/main.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.\nFound 1 error.\n";

  expect(notesIn(said)).toEqual([
    {
      ...{ level: 'error', file: 'src/main.ts', line: 3 },
      message: "TS2322: Type 'string' is not assignable to type 'number'.",
    },
  ]);
});

test('notesIn() takes places from what Biome says, in colour or not, and a file alone where it names no line', () => {
  const said = `src/main.ts:3:7 lint/suspicious/noConsole \u001b[2m━━━━━━━━━\u001b[0m

  \u001b[31m×\u001b[0m Don't use console.

    3 │ console.log(1)

src/other.ts format ━━━━━━━━━

  × Formatter would have printed the following content:

Checked 2 files in 7ms. No fixes applied.
check ━━━━━━━━━
`;

  expect(notesIn(said)).toEqual([
    {
      ...{ level: 'error', file: 'src/main.ts', line: 3 },
      message: "lint/suspicious/noConsole: Don't use console.",
    },
    { level: 'error', file: 'src/other.ts', message: 'format: Formatter would have printed the following content:' },
  ]);
});

/** Jest repeats them at its end, and names files from the root of the project. */
const jest = `FAIL pipeline pipeline/src/a.test.ts (8.695 s)
  ● a() counts › from one

    expect(received).toEqual(expected) // deep equality

    > 56 |   expect(a()).toEqual(1);

      at inner (src/elsewhere.ts:3:1)
      at Object.toEqual (src/a.test.ts:56:16)
      at run (src/a.test.ts:9:1)
`;

test('notesIn() takes the place of each test that Jest saw fail, once', () => {
  expect(notesIn(`${jest}\nSummary of all failing tests\n${jest}`)).toEqual([
    {
      ...{ level: 'error', file: 'pipeline/src/a.test.ts', line: 56 },
      message: 'a() counts › from one: expect(received).toEqual(expected) // deep equality',
    },
  ]);
});

test('notesIn() takes nothing that lies elsewhere, and nothing from other words', () => {
  expect(
    notesIn('../x.ts(1,1): error TS1: no\n/etc/x.ts(1,1): error TS1: no\nnpm error code 1\n::error::owned'),
  ).toEqual([]);
});
