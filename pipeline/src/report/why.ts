import type { RunEvent } from '../event.ts';
import { formatEvent } from './lines.ts';

type Event<Kind extends RunEvent['kind']> = Extract<RunEvent, { kind: Kind }>;

/** A step in the newest run that it was part of. */
export type StepStory = {
  readonly start: Event<'run.start'>;
  /** Of this step alone; empty if it was not begun. */
  readonly events: readonly RunEvent[];
  /** What other steps that were executed in this run had that was new. */
  readonly news: readonly { readonly step: string; readonly changed: readonly string[] }[];
  /** For a step from the cache: why the run that executed it did, where that one is on record. */
  readonly made: readonly string[] | undefined;
  /** By steps of this run: what each gave. */
  readonly gave: Readonly<Record<string, unknown>>;
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

/** The last time that this step's turn came, in a journal that may hold several attempts at one run. */
function storyIn(step: string, all: readonly RunEvent[]): StepStory | undefined {
  const from = all.findLastIndex((event) => event.kind === 'run.start' && event.steps.includes(step));
  const start = all[from];
  if (start?.kind !== 'run.start') return undefined;
  const next = all.findIndex((event, index) => index > from && event.kind === 'run.start');
  const events = all.slice(from, next < 0 ? undefined : next);
  return {
    start,
    events: events.filter((event) => 'step' in event && event.step === step),
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

/** For people: what happened to the step, and which inputs were others than before. */
export function explainStep({ start, events, news, made, gave }: StepStory): readonly string[] {
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
    ...(begun?.changed === undefined
      ? []
      : ['  it ran, as these were not as in its newest result:', ...told(begun.changed)]),
    ...(made === undefined ? [] : ['  the run that executed it did, as these were not as before:', ...told(made)]),
    ...(acted && news.length > 0
      ? ['  what was new in this run:', ...news.map(({ step: of, changed }) => `    ${of}: ${changed.join(', ')}`)]
      : []),
  ];
}
