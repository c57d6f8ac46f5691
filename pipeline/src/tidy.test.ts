/** What holds of the whole repository and no linter can see. Every message names the place; the name of the test is the rule. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { exitCodes } from '@headgate/rollout';
import { describe, expect, test } from '@jest/globals';
import { subcommands } from './cli/main.ts';

const root = join(import.meta.dirname, '../..');
const passedOver = new Set(['node_modules', 'dist', 'out', '.git', '.headgate']);
const files = readdirSync(root, { withFileTypes: true, recursive: false })
  .flatMap((entry) => walk(root, entry.name, entry.isDirectory()))
  .sort();
const texts = new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
const readme = texts.get('README.md') ?? '';

function walk(folder: string, name: string, isFolder: boolean): readonly string[] {
  const path = join(folder, name);
  if (passedOver.has(name)) return [];
  if (!isFolder) return [relative(root, path)];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .flatMap((entry) => walk(path, entry.name, entry.isDirectory()));
}

/** Cells of the tables under a heading of README, header and ruler left out. */
function tableRows(heading: string): readonly (readonly string[])[] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => /^\| `/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

/** Every place where a pattern stands, as `path:line`. */
function places(pattern: RegExp, inFiles: (path: string) => boolean): readonly string[] {
  return [...texts]
    .filter(([path]) => inFiles(path))
    .flatMap(([path, text]) =>
      text
        .split('\n')
        .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1} ${line.trim().slice(0, 100)}`] : [])),
    );
}

const isSource = (path: string) => /\.(ts|js)$/.test(path) && !/\.(test|rig|contract)\.ts$/.test(path);

describe('README', () => {
  test('has the commands of the CLI, each with its words', () => {
    const told = tableRows('Commands').map(([command, does]) => [command?.replaceAll('`', ''), does]);

    expect(told).toEqual(Object.entries(subcommands).map(([name, { summary }]) => [`headgate ${name}`, summary]));
  });

  test('has every error code with its exit code, and no other', () => {
    const told = tableRows('Error codes').map(([code, exit]) => [code?.replaceAll('`', ''), Number(exit)]);

    expect(told.toSorted()).toEqual(Object.entries(exitCodes).toSorted());
  });

  test('tells of each error code what it means and what to do', () => {
    for (const row of tableRows('Error codes'))
      expect([row[0], row.length, row.every(Boolean)]).toEqual([row[0], 4, true]);
  });

  test('explains every exit code that an error code has', () => {
    const table = readme.split('\n## Exit codes\n')[1]?.split('\n## ')[0] ?? '';
    const told = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell]) => (cell ?? '').split(', ').map(Number));

    for (const code of new Set(Object.values(exitCodes))) expect(told).toContain(code);
  });
});

describe('the repository', () => {
  test('pins every action of a workflow by commit', () => {
    const uses = places(/\buses:/, (path) => path.startsWith('.github/'));

    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((place) => !/uses: (\.\/|[\w./-]+@[0-9a-f]{40} # v\d)/.test(place))).toEqual([]);
  });

  test('asks no clock and no chance in a pure room: take them as arguments', () => {
    const room = /^(rollout\/src\/((policy|judge|report|simulate)\/|(spec|lane)\.ts)|pipeline\/src\/plan\/)/;

    expect(
      places(/Math\.random|Date\.now|new Date\b|performance\.now/, (path) => room.test(path) && isSource(path)),
    ).toEqual([]);
  });

  test('joins signals by `firstOf` and `withDeadline`: what AbortSignal.any joins may be collected as garbage', () => {
    const joined = places(/AbortSignal\.any\(/, isSource);

    expect(joined.map((place) => place.split(':')[0])).toEqual(['rollout/src/deadline.ts']);
  });

  test('refers to no document that a reader does not have: write the fact, or a public source', () => {
    const known = new Set(files.filter((path) => path.endsWith('.md')).map((path) => basename(path)));
    const named = places(/\b[A-Z][A-Z-]+\.md\b/, (path) => !path.endsWith('tidy.test.ts'));

    expect(
      named.filter((place) => !(place.match(/\b[A-Z][A-Z-]+\.md\b/g) ?? []).every((name) => known.has(name))),
    ).toEqual([]);
    expect(places(/(?<![\w@/-])shared\//, (path) => !path.endsWith('tidy.test.ts'))).toEqual([]);
  });

  test('reads every setting of headgate.yaml somewhere: one that is not heeded would be relied on', () => {
    const [types = ''] = (texts.get('rollout/src/spec.ts') ?? '').split('export type ParsedSpec');
    const settings = new Set([...types.matchAll(/readonly (\w+):/g)].map(([, name = '']) => name));
    const isReader = (path: string) => /^(rollout|pipeline)\/src\/(?!spec[./]|simulate\/)/.test(path) && isSource(path);
    const code = [...texts].filter(([path]) => isReader(path)).map(([, text]) => text);
    // As `release.watchMs`, or taken out by its name; that another thing of the same name is read is not seen.
    const reads = (name: string) => new RegExp(`(?<!\\.)\\.${name}\\b|\\{[^{};]*\\b${name}\\b[^{};]*\\}+(:| =)`);

    expect(settings.size).toBeGreaterThan(50);
    expect([...settings].filter((name) => !code.some((text) => reads(name).test(text)))).toEqual([]);
  });

  test('names folders after things, not after kinds of code', () => {
    const banned = /(^|\/)(core|utils?|helpers?|common|shared|lib|misc|types)\//;

    expect(files.filter((path) => banned.test(path))).toEqual([]);
  });

  test('has no source of more than 250 lines', () => {
    expect(files.filter((path) => isSource(path) && (texts.get(path) ?? '').split('\n').length > 251)).toEqual([]);
  });

  test('has no mark of unfinished work', () => {
    expect(places(/\b(FIXME|XXX)\b|\bTODO\b(?!.*#\d)/, (path) => isSource(path))).toEqual([]);
  });
});
