/** What Ansible tells of a play, for people. A task has whole objects in hand, with all that is in them: no more of one is shown than what changes. */
import { createTwoFilesPatch } from 'diff';
import { dump } from 'js-yaml';

/** An event of the callback `ansible.posix.jsonl`, one a line: those parts of it that are read here. */
type Event = {
  readonly _event?: string;
  readonly task?: { readonly name: string };
  /** By the name of a host. */
  readonly hosts?: Readonly<Record<string, Result>>;
  readonly stats?: Readonly<Record<string, Readonly<Record<string, number>>>>;
};

/** Of a task, or of one turn of its loop. */
type Result = {
  readonly changed?: boolean;
  readonly failed?: boolean;
  readonly unreachable?: boolean;
  readonly msg?: unknown;
  readonly stdout?: string;
  readonly stderr?: string;
  /** Where a module died instead of answering. */
  readonly module_stderr?: string;
  readonly diff?: Difference | readonly Difference[];
  readonly results?: readonly Result[];
  readonly _ansible_item_label?: unknown;
};

type Difference = { readonly before?: unknown; readonly after?: unknown };

/** How much of what a command or a module has said is shown when it fails. */
const saidMaxLines = 20;

/** Lines for one line of its output. What is no event, such as a warning, is shown as it is. */
export function linesOf(line: string): readonly string[] {
  const event = eventIn(line);
  if (event === undefined) return [line];
  const results = Object.values(event.hosts ?? {});
  switch (event._event) {
    case 'v2_playbook_on_task_start':
      return [`${event.task?.name}`];
    case 'v2_runner_on_ok':
    case 'v2_runner_on_failed':
    case 'v2_runner_on_unreachable':
      return results.flatMap(turnsOf).flatMap(linesOfTurn);
    case 'v2_playbook_on_stats':
      return Object.values(event.stats ?? {}).map((counts) => `PLAY RECAP: ${recap(counts)}`);
    default:
      return []; // Of a task that was skipped there is nothing to tell.
  }
}

function eventIn(line: string): Event | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Of a loop, its turns: what the task says itself is only whether all went well. */
function turnsOf(result: Result): readonly Result[] {
  const { results = [] } = result;
  return results.length === 0 ? [result] : results;
}

function linesOfTurn(turn: Result): readonly string[] {
  const label = typeof turn._ansible_item_label === 'string' ? ` ${turn._ansible_item_label}` : '';
  if (turn.failed === true || turn.unreachable === true) {
    const [first = '', ...rest] = wordsOf(turn);
    return [`  failed${label}: ${first}`, ...rest.map((word) => `    ${word}`)];
  }
  if (turn.changed !== true) return [];
  return [`  changed${label}`, ...[turn.diff ?? []].flat().flatMap(patchOf)];
}

function wordsOf({ msg, stderr, stdout, module_stderr }: Result): readonly string[] {
  const said = [stderr, module_stderr, stdout].find((text) => text !== undefined && text.trim() !== '') ?? '';
  const words = typeof msg === 'string' ? msg : msg === undefined ? 'nothing was said' : JSON.stringify(msg);
  return [...words.trimEnd().split('\n'), ...said.trimEnd().split('\n').slice(-saidMaxLines)].filter(
    (line) => line !== '',
  );
}

/** As `diff -u` writes it, without its head. */
function patchOf({ before, after }: Difference): readonly string[] {
  const patch = createTwoFilesPatch('', '', textOf(before), textOf(after), '', '', { context: 3 });
  const lines = patch.trimEnd().split('\n');
  const start = lines.findIndex((line) => line.startsWith('@@'));
  return start === -1 ? [] : lines.slice(start).map((line) => `    ${line}`);
}

function textOf(side: unknown): string {
  if (typeof side === 'string') return side;
  return side === undefined ? '' : dump(side, { lineWidth: -1 });
}

function recap(counts: Readonly<Record<string, number>>): string {
  const names = { ok: 'ok', changed: 'changed', unreachable: 'unreachable', failures: 'failed', rescued: 'rescued' };
  return Object.entries(names)
    .map(([key, name]) => `${name}=${counts[key] ?? 0}`)
    .join(' ');
}
