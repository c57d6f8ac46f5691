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

/** One file, and its name in messages. */
export type Source = { readonly file: string; readonly text: string };

/** In the order of the files, each once. */
export function issuesOf(findings: readonly Finding[], sources: readonly Source[]): SpecIssue[] {
  const once = new Map(findings.map((finding) => [`${finding.at} ${finding.rule}`, finding]));
  return [...once.values()].sort((a, b) => a.at - b.at).map((finding) => issueOf(finding, sources));
}

/** Where each file begins, counted through all of them. The end of one is a place in it. */
export function startOf(index: number, sources: readonly Source[]): number {
  return sources.slice(0, index).reduce((sum, { text }) => sum + text.length + 1, 0);
}

/** The line of a place, counted from 1, and where that line is. */
export function lineAt(at: number, sources: readonly Source[]) {
  const index = sources.findLastIndex((_, i) => startOf(i, sources) <= at);
  const { file, text } = sources[index] ?? { file: '', text: '' };
  const before = text.slice(0, at - startOf(index, sources)).split(/\r\n|\n|\r/);
  return {
    file,
    line: before.length,
    column: (before.at(-1) ?? '').length + 1,
    text: text.split(/\r\n|\n|\r/)[before.length - 1] ?? '',
  };
}

/** For a terminal: place, rule and current value of each, and its line with a mark below. */
export function formatIssues(issues: readonly SpecIssue[]): string {
  return issues.map(formatIssue).join('\n\n');
}

function issueOf({ path, rule, at, value }: Finding, sources: readonly Source[]): SpecIssue {
  return { ...lineAt(at, sources), path: formatPath(path), rule, value };
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

/** As a person writes it: `release.steps[1]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    return before === '' ? part : `${before}.${part}`;
  }, '');
}
