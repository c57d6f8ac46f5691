/** What a failed check says of places in the sources, in the words of tsc, Biome and Jest; other tools are left to the log. */
import { stripVTControlCharacters } from 'node:util';
import type { Annotation } from '../event.ts';

/** Hosts show ten; more than these nobody reads. */
const notesMax = 50;
/** The end of it, where Jest and npm have their say. */
const outputMaxChars = 1_048_576;

/** Each place once, in the order of the output. */
export function notesIn(output: string): readonly Annotation[] {
  const isCut = output.length > outputMaxChars;
  // The rest of a line would show the rest of a secret.
  const lines = stripVTControlCharacters(output.slice(-outputMaxChars))
    .split('\n')
    .slice(isCut ? 1 : 0);
  const found = [...compiled(lines), ...linted(lines), ...tested(lines)].filter(({ file }) => !/^(\/|\.\.)/.test(file));
  const once = new Map(found.map((note) => [`${note.file}:${note.line}: ${note.message}`, note]));
  return [...once.values()].slice(0, notesMax);
}

type Note = Annotation & { readonly file: string };

function noteAt(file: string, line: string | undefined, message: string): Note {
  return { level: 'error', message, file, ...(line === undefined ? {} : { line: Number(line) }) };
}

/** `src/main.ts(3,7): error TS2322: Type …` */
function compiled(lines: readonly string[]): readonly Note[] {
  return lines.flatMap((line) => {
    const [, file, at, message] = /^(\S+)\((\d+),\d+\): error (TS\d+: .+)$/.exec(line) ?? [];
    return file === undefined || message === undefined ? [] : [noteAt(file, at, message)];
  });
}

/** `src/main.ts:3:7 lint/suspicious/noConsole ━━━`, and a few lines below it what is wrong: `  × Don't use console.` */
function linted(lines: readonly string[]): readonly Note[] {
  return lines.flatMap((line, i) => {
    const [, file, at, rule] = /^(\S+?)(?::(\d+):\d+)? ([a-z]+(?:\/\w+)*)[^━]* ━{3,}$/.exec(line) ?? [];
    const words = lines.slice(i + 1, i + 5).find((below) => /^ *[×✖!] /.test(below));
    return file === undefined || words === undefined ? [] : [noteAt(file, at, `${rule}: ${words.trim().slice(2)}`)];
  });
}

/** `FAIL rollout src/a.test.ts`, then of each test `● name`, the reason, and where in that file: `at … (src/a.test.ts:3:7)`. */
function tested(lines: readonly string[]): readonly Note[] {
  const notes: Note[] = [];
  let file = '';
  let test: { readonly name: string; readonly why: string } | undefined;
  for (const [i, line] of lines.entries()) {
    file = /^FAIL .*?(\S+\.\w+)(?: \([\d.]+ m?s\))?$/.exec(line)?.[1] ?? file;
    const name = /^ {2}● (.+)$/.exec(line)?.[1];
    if (name !== undefined) test = { name, why: lines.slice(i + 1).find((below) => below.trim() !== '') ?? '' };
    const [, place = '', at] = /^ {4,}at (?:.*\()?([^\s()]+):(\d+):\d+\)?$/.exec(line) ?? [];
    if (test === undefined || place === '' || !file.endsWith(place)) continue;
    notes.push(noteAt(file, at, `${test.name}: ${test.why.trim()}`));
    test = undefined; // The first line of a trace is the nearest.
  }
  return notes;
}
