import type { RunEvent } from '../event.ts';
import { type Start, type Turn, turnsIn } from '../journal/turns.ts';
import { formatEvent } from './lines.ts';

/** A step in the newest run that it was part of. */
export type StepStory = {
  readonly start: Start;
  /** Of this step alone; empty if it was not begun. */
  readonly events: readonly RunEvent[];
  /** What other steps that were executed in this run had that was new. */
  readonly news: readonly { readonly step: string; readonly changed: readonly string[] }[];
  /** For a step from the cache: why the run that executed it did, where that one is on record. */
  readonly made: readonly string[] | undefined;
  /** By steps of this run: what each gave. */
  readonly gave: Readonly<Record<string, unknown>>;
  /** What came of the step when the same run was started before: on another machine, or without an end. The last few, the newest first. */
  readonly earlier: readonly Turn[];
};

/** `runs`: events of each run, the newest first. `undefined` for a step that none has. */
export async function findStep(step: string, runs: AsyncIterable<readonly RunEvent[]>): Promise<StepStory | undefined> {
  let story: StepStory | undefined;
  for await (const all of runs) {
    story ??= storyIn(step, all);
    const cached = story?.events.find((event) => event.kind === 'step.cached');
    if (story === undefined) continue;
    if (cached === undefined) return story;
    const made = all.find((event) => event.kind === 'step.start' && event.step === step && event.key === cached.key);
    if (made?.kind === 'step.start') return { ...story, made: made.changed };
  }
  return story;
}

/** The steps of all runs, each once. */
export async function stepsIn(runs: AsyncIterable<readonly RunEvent[]>): Promise<readonly string[]> {
  const known = new Set<string>();
  for await (const all of runs) {
    for (const event of all) if (event.kind === 'run.start') for (const step of event.steps) known.add(step);
  }
  return [...known];
}

const earlierMax = 3;

/** The last time that this step was part of the run, in a journal that may hold several attempts at it. */
function storyIn(step: string, all: readonly RunEvent[]): StepStory | undefined {
  const [turn, ...before] = turnsIn(all)
    .filter(({ start }) => start.steps.includes(step))
    .toReversed();
  if (turn === undefined) return undefined;
  const { events } = turn;
  const own = (of: Turn) => ({
    start: of.start,
    events: of.events.filter((one) => 'step' in one && one.step === step),
  });
  return {
    ...own(turn),
    earlier: before.map(own).filter(isWorthTelling).slice(0, earlierMax),
    news: events.flatMap((event) =>
      event.kind === 'step.start' && event.step !== step && event.attempt === 1 && event.changed !== undefined
        ? [{ step: event.step, changed: event.changed }]
        : [],
    ),
    made: undefined,
    gave: Object.fromEntries(
      events.flatMap((event) =>
        event.kind === 'step.done' || event.kind === 'step.cached' ? [[event.step, event.values]] : [],
      ),
    ),
  };
}

function isWorthTelling(turn: Turn): boolean {
  const { start, events } = turn;
  const worked =
    events.some((one) => one.kind === 'step.start') && !events.some((one) => one.kind === 'step.done' && !one.acted);
  return isOpen(turn) || (worked && start.elsewhere === true);
}

/** Whether the step was begun and nobody knows how it ended. */
function isOpen({ events }: Pick<Turn, 'events'>): boolean {
  return events.some(({ kind }) => kind === 'step.start') && !events.some(({ kind }) => ends.has(kind));
}

const ends: ReadonlySet<RunEvent['kind']> = new Set(['step.done', 'step.fail', 'step.cached', 'step.skip']);

/** For people: what happened to the step, and which inputs were others than before. */
export function explainStep({ start, events, news, made, gave, earlier }: StepStory): readonly string[] {
  const begun = events.find((event) => event.kind === 'step.start');
  const acted = events.some(({ kind }) => kind === 'intent');
  const output = 'output of ';
  const told = (changed: readonly string[]) =>
    changed.map((what) => {
      const values = what.startsWith(output) ? gave[what.slice(output.length)] : undefined;
      return `    ${what}${values === undefined || values === null ? '' : `, now ${JSON.stringify(values)}`}`;
    });
  return [
    ...formatEvent(start),
    ...events.filter(({ kind }) => kind !== 'annotation').flatMap(formatEvent),
    ...(events.length === 0 ? ['  it was not begun: the run ended before its turn'] : []),
    ...(isOpen({ events }) ? [openText] : []),
    ...(begun?.changed === undefined
      ? []
      : ['  it ran, as these were not as in its newest result:', ...told(begun.changed)]),
    ...(made === undefined ? [] : ['  the run that executed it did, as these were not as before:', ...told(made)]),
    ...(acted && news.length > 0
      ? ['  what was new in this run:', ...news.map(({ step: of, changed }) => `    ${of}: ${changed.join(', ')}`)]
      : []),
    ...earlier.flatMap((turn) => [
      '  before that, in the same run:',
      ...[...formatEvent(turn.start), ...turn.events.flatMap(formatEvent), ...(isOpen(turn) ? [openText] : [])].map(
        (line) => `    ${line}`,
      ),
    ]),
  ];
}

const openText = '  it came to no end that is known';
