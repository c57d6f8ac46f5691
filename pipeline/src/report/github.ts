import type { Annotation, RunEvent } from '../event.ts';
import type { Guard } from '../host/guard.ts';
import { withLastWords } from './last-words.ts';
import { formatEvent, withoutControls } from './lines.ts';
import type { Reporter, Write } from './report.ts';

type Properties = { title?: string; file?: string; startLine?: number };

/** As much of @actions/core as a run says to the runner. */
export type RunnerCommands = {
  startGroup(name: string): void;
  endGroup(): void;
  error(message: string, properties?: Properties): void;
  warning(message: string, properties?: Properties): void;
  notice(message: string, properties?: Properties): void;
};

export type GithubOptions = {
  readonly write: Write;
  readonly guard: Guard;
  readonly commands: RunnerCommands;
  /** A file relative to the root as the runner names it. */
  readonly place: (file: string) => string;
};

/** GitHub shows ten of each level for a step and drops the rest in silence, so the tenth says how many there are. */
const notesMax = 9;
/** Lines of a step that passed, folded; all of them are in its log. */
const groupMaxLines = 200;
/** Matchers of actions/setup-node would take lines of a log for annotations, and use up the ten. */
const matchers = ['tsc', 'eslint-compact', 'eslint-stylish'] as const;

const levels = ['error', 'warning', 'notice'] as const;

/** Steps as folded groups once they have ended, since they run at once; remarks and failures as annotations. */
export function githubReporter({ write, guard, commands, place }: GithubOptions): Reporter {
  const lines = new Map<string, string[]>();
  const counts = { error: 0, warning: 0, notice: 0 };

  const annotate = (title: string, { level, message, file, line }: Annotation) => {
    counts[level] += 1;
    if (counts[level] > notesMax) return;
    const at = file === undefined ? {} : { file: place(file), ...(line === undefined ? {} : { startLine: line }) };
    guard.obeyed(() => commands[level](message, { title, ...at }));
  };
  const group = (title: string, step: string) => {
    guard.obeyed(() => commands.startGroup(title));
    for (const line of lines.get(step) ?? []) write(`${withoutControls(line)}\n`);
    guard.obeyed(() => commands.endGroup());
  };
  guard.obeyed(() => {
    for (const owner of matchers) write(`::remove-matcher owner=${owner}::\n`);
  });

  const show = (event: RunEvent) => {
    const shown = formatEvent(event);
    const [first = ''] = shown;
    if (event.kind === 'step.done' && (lines.get(event.step)?.length ?? 0) > 0) group(first, event.step);
    else for (const line of shown) write(`${line}\n`);
  };

  return {
    on: (event) => {
      if (event.kind === 'step.line') return keep(lines.get(event.step), event.line);
      if (event.kind === 'step.start') lines.set(event.step, lines.get(event.step) ?? []);
      show(event);
      for (const [title, note] of notesOf(event)) annotate(title, note);
    },
    close: () => {
      for (const level of levels) {
        const more = counts[level] - notesMax;
        if (more > 0) guard.obeyed(() => commands[level](`${more} more in the summary`, { title: 'headgate' }));
      }
    },
  };
}

function keep(lines: string[] | undefined, line: string): void {
  lines?.push(line);
  if (lines !== undefined && lines.length > groupMaxLines) lines.shift();
}

/** What of an event people must see without opening the log. */
function notesOf(event: RunEvent): readonly (readonly [string, Annotation])[] {
  switch (event.kind) {
    case 'annotation':
      return [[event.step, event.note]];
    case 'step.fail': {
      const { hint, message } = event.failure;
      const text = hint === undefined ? message : `${message}\n${hint}`;
      return [[`${event.step} failed`, { level: 'error', message: withLastWords(text, event.tail) }]];
    }
    case 'step.done':
      return event.attempts > 1
        ? [[event.step, { level: 'warning', message: `flaky: only attempt ${event.attempts} passed` }]]
        : [];
    case 'warning':
      return [['headgate', { level: 'warning', message: event.message }]];
    default:
      return [];
  }
}
