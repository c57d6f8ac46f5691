import { defaultJudge } from '../judge/judge.ts';
import { type Counts, countsOnly } from '../judge/sample.ts';
import type { EvidenceEntry } from './evidence.ts';

/**
 * Recorded counts as a table: one line for each block of time, its columns named by the first line, in any order.
 * Lines with share 0 at the beginning are live's history. At 100 nothing is left to compare with, so no line has that.
 */
export const csvColumns = [
  'seconds',
  'share',
  'live_requests',
  'live_failed',
  'live_refused',
  'candidate_requests',
  'candidate_failed',
  'candidate_refused',
] as const;

type Row = Readonly<Record<(typeof csvColumns)[number], number>>;

/** `line` from 1. */
export type CsvIssue = { readonly line: number; readonly text: string };

export type ReadCsv =
  | { readonly kind: 'entries'; readonly entries: readonly EvidenceEntry[] }
  /** All that is wrong, in the order of the file; at least one. */
  | { readonly kind: 'issues'; readonly issues: readonly CsvIssue[] };

const rowsMax = 1_000_000;

/** The evidence that a judge with default settings would have written, had it counted this. */
export function readEvidenceCsv(text: string): ReadCsv {
  const lines = text
    .replace(/^\uFEFF/, '')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
  const [head = '', ...rest] = lines;
  const columns = head.split(',').map((name) => name.trim());
  const wrong = headIssues(columns, rest.length);
  if (wrong.length > 0) return { kind: 'issues', issues: wrong.map((issue) => ({ line: 1, text: issue })) };
  const rows = rest.map((line, i) => rowOf(line, columns, i + 2));
  const issues = rows.flatMap((row) => ('issues' in row ? row.issues : []));
  if (issues.length > 0) return { kind: 'issues', issues };
  return entriesOf(rows.flatMap((row) => ('issues' in row ? [] : [row])));
}

function headIssues(columns: readonly string[], rows: number): readonly string[] {
  const known: readonly string[] = csvColumns;
  const missing = known.filter((name) => !columns.includes(name));
  const others = columns.filter((name, i) => !known.includes(name) || columns.indexOf(name) < i);
  return [
    ...(missing.length === 0 ? [] : [`must name the columns ${csvColumns.join(',')}: missing is ${missing.join(',')}`]),
    ...others.map((name) => `must name each of these columns once and no other: current value is "${name}"`),
    ...(rows === 0 || rows > rowsMax ? [`must be followed by 1 to ${rowsMax} lines: current value is ${rows}`] : []),
  ];
}

function rowOf(text: string, columns: readonly string[], line: number): Row | { readonly issues: readonly CsvIssue[] } {
  const cells = text.split(',').map((cell) => cell.trim());
  if (cells.length !== columns.length) {
    const rule = `must have ${columns.length} numbers with commas between: current value is "${text}"`;
    return { issues: [{ line, text: rule }] };
  }
  const written = Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? '']));
  const issues = csvColumns.flatMap((name) => issueOf(name, written[name] ?? ''));
  const row = Object.fromEntries(csvColumns.map((name) => [name, Number(written[name])])) as Row;
  const all = issues.length > 0 ? issues : lanesOf(row);
  return all.length === 0 ? row : { issues: all.map((issue) => ({ line, text: issue })) };
}

function issueOf(name: (typeof csvColumns)[number], cell: string): readonly string[] {
  const value = /^\d{1,15}(\.\d+)?$/.test(cell) ? Number(cell) : Number.NaN;
  const must = (holds: boolean, rule: string) => (holds ? [] : [`${name} must be ${rule}: current value is "${cell}"`]);
  if (name === 'seconds') return must(value > 0, 'a number above 0');
  if (name === 'share') return must(Number.isInteger(value) && value < 100, 'whole percent from 0 to 99');
  return must(Number.isInteger(value), 'a whole number');
}

function lanesOf(row: Row): readonly string[] {
  return (['live', 'candidate'] as const).flatMap((lane) => {
    const { requests, failed, refused } = countsIn(row, lane);
    if (failed + refused <= requests) return [];
    return [
      `${lane}_requests must be at least failed and refused together, ${failed + refused}: current value is "${requests}"`,
    ];
  });
}

function countsIn(row: Row, lane: 'live' | 'candidate'): Counts {
  return { requests: row[`${lane}_requests`], failed: row[`${lane}_failed`], refused: row[`${lane}_refused`] };
}

function entriesOf(rows: readonly Row[]): ReadCsv {
  const entries: EvidenceEntry[] = [{ kind: 'start', settings: defaultJudge }];
  const begun = rows.findIndex(({ share }) => share > 0);
  if (begun === -1)
    return { kind: 'issues', issues: [{ line: 2, text: 'share must be above 0 in this line or a later one' }] };
  let at = 0;
  let share = 0;
  for (const [i, row] of rows.entries()) {
    const { seconds } = row;
    const [live, candidate] = [countsIn(row, 'live'), countsIn(row, 'candidate')];
    at += 1_000 * seconds;
    if (row.share !== share) entries.push({ kind: 'share', share: row.share });
    share = row.share;
    if (i < begun) entries.push({ kind: 'prime', at, ...countsOnly, seconds, live });
    else
      entries.push({
        kind: 'sample',
        at,
        lags: null,
        sample: { ...countsOnly, seconds, candidateShare: share, live, candidate },
      });
  }
  return { kind: 'entries', entries };
}
