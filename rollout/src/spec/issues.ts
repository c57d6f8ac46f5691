import type { Finding, Path } from './source.ts';

/** One mistake in headgate.yaml, with the line that shows it. */
export type SpecIssue = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** In the words of the file, e.g. `release.steps[1]`; empty for the file as a whole. */
  readonly path: string;
  /** The rule that is broken, e.g. `must be a whole percentage such as 5%`. */
  readonly rule: string;
  /** What is written there, or `undefined` where nothing is. */
  readonly value: string | undefined;
  /** The offending line, without its end. */
  readonly text: string;
};

/** In the order of the file, each once. */
export function issuesOf(findings: readonly Finding[], { text, file }: { text: string; file: string }): SpecIssue[] {
  const once = new Map(findings.map((finding) => [`${finding.at} ${finding.rule}`, finding]));
  return [...once.values()].sort((a, b) => a.at - b.at).map((finding) => issueOf(finding, text, file));
}

/** For a terminal: place, rule and current value of each, and its line with a mark below. */
export function formatIssues(issues: readonly SpecIssue[]): string {
  return issues.map(formatIssue).join('\n\n');
}

function issueOf({ path, rule, at, value }: Finding, text: string, file: string): SpecIssue {
  const before = text.slice(0, at).split(/\r\n|\n|\r/);
  const line = before.length;
  const column = (before.at(-1) ?? '').length + 1;
  const whole = text.split(/\r\n|\n|\r/)[line - 1] ?? '';
  return { file, line, column, path: formatPath(path), rule, value, text: whole };
}

function formatIssue({ file, line, column, path, rule, value, text }: SpecIssue): string {
  const current = value === undefined ? '' : `: current value is ${value}`;
  const margin = `${line} | `;
  // Tabs stay tabs below, so that the mark stands under its character.
  const indent = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
  return [
    `${file}:${line}:${column}  ${path === '' ? 'the file' : path} ${rule}${current}`,
    `  ${margin}${text}`,
    `  ${' '.repeat(margin.length)}${indent}^`,
  ].join('\n');
}

function formatPath(path: Path): string {
  return path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    return before === '' ? part : `${before}.${part}`;
  }, '');
}
