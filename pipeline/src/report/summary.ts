import { unreachable } from '@headgate/rollout/errors';
import type { SpecValue } from '@headgate/rollout/status';
import type { Original } from '../event.ts';
import type { PlannedStep } from '../plan/decide.ts';
import { formatMs, formatPlan } from './lines.ts';
import { isFlaky, type RunRecord, type StepRecord } from './record.ts';

/** A run as Markdown for the page of a job. Whatever comes from steps is shown as text: it draws no table, link or image. */
export function summaryOf(record: RunRecord): string {
  const { pipeline, run, commit, dirty, actor, outcome, ms, steps, warnings } = record;
  const change = commit === undefined ? 'no commit' : `${commit.slice(0, 7)}${dirty ? ' and uncommitted changes' : ''}`;
  const notes = steps.flatMap(({ id, notes: own }) => own.map((note) => ({ id, ...note })));
  return [
    `## ${asText(pipeline)}: ${outcome} in ${formatMs(ms)}`,
    `${asText(change)}, run ${asText(run)}, by ${asText(actor)}`,
    '',
    '| step | end | time |',
    '|---|---|---|',
    ...steps.map(rowOf),
    ...steps.flatMap(failureOf),
    ...titled('Notes', [
      ...notes.map(({ id, level, file, line, message }) => {
        const place = file === undefined ? '' : ` ${file}${line === undefined ? '' : `:${line}`}`;
        return `- ${level}, ${asText(`${id}${place}: ${message}`)}`;
      }),
      ...warnings.map((message) => `- warning, ${asText(message)}`),
    ]),
    '',
  ].join('\n');
}

/** What would be done, and how its release would go: for the page of a pull request, before anything is done. */
export function planSummary(planned: readonly PlannedStep[], values: readonly SpecValue[]): string {
  const settings = values
    .filter(({ path }) => path.startsWith('release.'))
    .map(
      ({ path, value, from }) =>
        `${path.padEnd(24)} ${value}${from === undefined ? '' : `  (${from.file}:${from.line})`}`,
    );
  return [
    '## What a merge would do',
    ...fenced(formatPlan(planned)),
    '',
    '### How it would be released',
    ...fenced(settings),
    '',
  ].join('\n');
}

function rowOf(step: StepRecord): string {
  return `| ${asText(step.id)} | ${endOf(step)} | ${timeOf(step)} |`;
}

function originOf({ run, at, url }: Original): string {
  return `run ${run} of ${new Date(at).toISOString()}${url === undefined ? '' : `, ${url}`}`;
}

function endOf(step: StepRecord): string {
  const { end } = step;
  switch (end.kind) {
    case 'done':
      if (!end.acted) return '✓ nothing to do';
      return isFlaky(step) ? `✓ flaky: attempt ${end.attempts} passed` : '✓ done';
    case 'cached':
      return `= cached, from ${asText(originOf(end.original))}`;
    case 'failed':
      return `✗ ${asText(`${end.failure.class}: ${end.failure.message}`)}`;
    case 'skipped':
      return `- ${asText(end.why)}`;
    case 'running':
      return '! interrupted';
    case 'unstarted':
      return '- not begun';
    default:
      return unreachable(end);
  }
}

function timeOf({ end }: StepRecord): string {
  return end.kind === 'done' || end.kind === 'failed' ? formatMs(end.ms) : '';
}

function failureOf({ id, end }: StepRecord): readonly string[] {
  if (end.kind !== 'failed') return [];
  const hint = end.failure.hint === undefined ? [] : ['', asText(end.failure.hint)];
  return ['', `### ${asText(id)} failed`, ...hint, ...(end.tail.length === 0 ? [] : ['', ...fenced(end.tail)])];
}

/** A fence longer than any run of backticks in the text, so that the text cannot close it. */
export function fenced(lines: readonly string[]): readonly string[] {
  const runs = lines.join('\n').match(/`+/g) ?? [];
  const fence = '`'.repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return [`${fence}text`, ...lines, fence];
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `### ${title}`, ...lines];
}

/** On one line, every character that means something in Markdown or HTML as its number. */
function asText(text: string): string {
  return text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll(/[&<>|`*_[\]()~#!\\$@"']|:(?=\/\/)/g, (character) => `&#${character.codePointAt(0)};`);
}
