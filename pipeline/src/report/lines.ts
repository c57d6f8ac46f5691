import { stripVTControlCharacters } from 'node:util';
import { unreachable } from '@headgate/rollout/errors';
import type { Doer, RunEvent } from '../event.ts';
import type { PlannedStep } from '../plan/decide.ts';

/** An event as lines for people; none for what would only fill the screen. What steps say steers no terminal and no host. */
export function formatEvent(event: RunEvent): readonly string[] {
  return linesOf(event).flatMap((text) => text.split('\n').map(withoutControls));
}

/** What would be done, a line for each step and each remark of it, in the marks of a run. */
export function formatPlan(planned: readonly PlannedStep[]): readonly string[] {
  return planned.flatMap((one) => {
    const remarks = 'remarks' in one ? (one.remarks ?? []) : [];
    return [planLine(one), ...remarks.map((remark) => row('!', one.step, remark))].map(withoutControls);
  });
}

/** Without colours, and whatever else moves a cursor, clears a screen or ends a line. */
export function withoutControls(line: string): string {
  return stripVTControlCharacters(line).replaceAll(/[\p{Cc}\u2028\u2029]/gu, (control) =>
    control === '\t' ? '\t' : ' ',
  );
}

function linesOf(event: RunEvent): readonly string[] {
  switch (event.kind) {
    case 'run.start':
      return [formatStart(event), ...formatLast(event)];
    case 'step.start':
    case 'step.line':
    case 'gate': // In JUnit; what was in the way, the step says when it fails.
      return [];
    case 'intent':
      return [row('>', event.step, event.what)];
    case 'annotation': {
      const { level, message, file, line } = event.note;
      const place = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}`} `;
      return [row(level === 'notice' ? '·' : '!', event.step, `${place}${message}`)];
    }
    case 'step.cached': {
      const { run, at, ms, url } = event.original;
      const where = url === undefined ? '' : `, ${url}`;
      return [row('=', event.step, `cached, ${formatMs(ms)} in run ${run} at ${new Date(at).toISOString()}${where}`)];
    }
    case 'step.done':
      return [row('✓', event.step, formatDone(event))];
    case 'step.retry':
      return [row('!', event.step, `attempt ${event.attempt} failed, trying again: ${event.failure.message}`)];
    case 'step.fail':
      return formatFailure(event);
    case 'step.skip':
      return [row('-', event.step, event.why)];
    case 'warning':
      return [row('!', '', event.message)];
    case 'run.interrupted':
      return [row('!', '', `interrupted: ${event.reason}; run it again to go on`)];
    case 'run.end':
      return [`${event.outcome} in ${formatMs(event.ms)}`];
    default:
      return unreachable(event);
  }
}

function planLine(planned: PlannedStep): string {
  const { step } = planned;
  switch (planned.kind) {
    case 'cached':
      return row(
        '=',
        step,
        `cached in the ${planned.where}, from run ${planned.run} at ${new Date(planned.at).toISOString()}`,
      );
    case 'would-run':
      return row('>', step, `would run: ${few(planned.changed)}`);
    case 'would-act':
      return row('>', step, `would ${planned.diff}`);
    case 'nothing-to-do':
      return row('=', step, 'nothing to do');
    case 'blocked':
      return row('?', step, `depends on what ${planned.by.join(', ')} will give`);
    case 'skipped':
      return row('-', step, planned.why);
    case 'missing':
      return row('✗', step, `has left nothing to take: it would ${planned.why}`);
    case 'unseen':
      return row('?', step, planned.why);
    default:
      return unreachable(planned);
  }
}

/** A change of branches is one of hundreds of files; `--json` has all. */
function few(changed: readonly string[]): string {
  const more = changed.length - namesMax;
  return more > 0 ? `${changed.slice(0, namesMax).join(', ')} and ${more} more` : changed.join(', ');
}

const namesMax = 10;

function formatStart({
  pipeline,
  run,
  commit,
  dirty,
  actor,
  resumed,
  elsewhere,
}: Extract<RunEvent, { kind: 'run.start' }>): string {
  const change = commit === undefined ? 'no commit' : `${commit.slice(0, 7)}${dirty ? ' and uncommitted changes' : ''}`;
  return `${pipeline} · ${change} · run ${run}${resumed ? ', resumed' : ''} · by ${actor}${elsewhere ? ', elsewhere' : ''}`;
}

/** Of a run that somebody else had, or that came to no end. */
function formatLast({ attempt, last, actor }: Extract<RunEvent, { kind: 'run.start' }>): readonly string[] {
  if (last === undefined || (last.actor === actor && last.outcome !== undefined)) return [];
  const how = last.outcome === undefined ? 'last heard of' : last.outcome;
  return [`  attempt ${attempt}, after that of ${last.actor}: ${how} at ${new Date(last.at).toISOString()}`];
}

function formatDone({ ms, acted, attempts, by }: Extract<RunEvent, { kind: 'step.done' }>): string {
  if (!acted) return `nothing to do${by === undefined ? '' : `: ${formatDoer(by)}`}`;
  return `${formatMs(ms)}${attempts > 1 ? `, flaky: attempt ${attempts} passed` : ''}`;
}

function formatDoer({ actor, at, finished }: Doer): string {
  return `${finished ? 'finished' : 'begun'} by ${actor} at ${new Date(at).toISOString()}`;
}

function formatFailure({ step, ms, failure, tail, log }: Extract<RunEvent, { kind: 'step.fail' }>): readonly string[] {
  return [
    row('✗', step, `${formatMs(ms)}, ${failure.class}: ${failure.message}`),
    ...(failure.hint === undefined ? [] : [row(' ', '', failure.hint)]),
    ...tail.map((line) => `    | ${line}`),
    ...(tail.length === 0 ? [] : [`    the whole log: ${log}`]),
  ];
}

function row(mark: string, step: string, text: string): string {
  return `${mark} ${step === '' ? '' : `${step.padEnd(20)} `}${text}`;
}

export function formatMs(ms: number): string {
  // Rounded before the unit is chosen, or 59.96 s would be "60.0 s".
  if (Math.round(ms) < 1_000) return `${Math.round(ms)} ms`;
  if (Math.round(ms / 100) < 600) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
