import type { Verdict } from '../judge/verdict.ts';
import type { Reason } from '../policy/phase.ts';
import type { Ended, Head } from '../policy/release.ts';
import { ruleLines } from './explain.ts';
import type { Story } from './story.ts';

/** One of the things that a version had to pass. `undecided`: something else came first, or nothing could be said. */
export type Gate = {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'undecided';
  /** What was seen. */
  readonly text: string;
};

/** What a release, or a rolling update, that has ended had to pass, each by itself, and which of it was in the way. `story`: `undefined` when nothing was judged. */
export function gatesOf({ history, release }: Head, story: Story | undefined, id: number): readonly Gate[] {
  const ended = history.find((one) => one.id === id);
  if (ended === undefined) return [];
  const phase = release?.id === id ? release.state.phase : undefined;
  const reason = phase?.kind === 'rolledBack' ? phase.reason : undefined;
  const stop = stopOf(ended, reason);
  const compared = story === undefined ? [] : ruleGates('', story.compared, { story, ended, reason });
  const watched = story?.watch === undefined ? [] : ruleGates('watch: ', story.watch, { story, ended, reason });
  const gates = [health(ended, stop, story !== undefined), ...compared, ...watched];
  // Whatever it was, something stands out.
  const isNamed = ended.outcome === 'promoted' || gates.some(({ outcome }) => outcome === 'failed');
  return isNamed ? gates : [...gates, { name: stop, outcome: 'failed', text: ended.text }];
}

/** What a release was stopped by, where no rule of the judge was. */
function stopOf({ strategy }: Ended, reason: Reason | undefined): string {
  if (strategy === 'rolling') return 'health';
  switch (reason?.kind) {
    case 'start':
    case 'unready':
      return 'health';
    case 'person':
    case 'lowered':
      return 'a person';
    case 'deadline':
      return 'deadline';
    default:
      return 'judge';
  }
}

/** Nobody is judged, or promoted, before all that stands behind it is up. */
function health({ outcome, text }: Ended, stop: string, wasJudged: boolean): Gate {
  const name = 'health';
  if (outcome === 'rolledBack' && stop === name) return { name, outcome: 'failed', text };
  if (outcome === 'promoted' || wasJudged)
    return { name, outcome: 'passed', text: 'every instance came up and answered' };
  return { name, outcome: 'undecided', text: 'it was stopped before it was known whether every instance comes up' };
}

type Told = { readonly story: Story; readonly ended: Ended; readonly reason: Reason | undefined };

function ruleGates(part: string, verdict: Verdict, { story, ended, reason }: Told): readonly Gate[] {
  const isIts = reason === undefined || reason.kind === 'verdict' || reason.kind === 'guard';
  const stopped = ended.outcome === 'rolledBack' && isIts && verdict.kind === 'rollback';
  return ruleLines(verdict, story.settings).map(({ name, words, line }): Gate => {
    if (stopped && name === verdict.reason) return { name: part + words, outcome: 'failed', text: ended.text };
    return { name: part + words, outcome: ended.outcome === 'promoted' ? 'passed' : 'undecided', text: line };
  });
}
