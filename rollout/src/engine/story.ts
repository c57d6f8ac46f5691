import type { Records } from '../journal/journal.ts';
import { countsOf } from '../judge/rules.ts';
import { type EvidenceEntry, type EvidenceState, foldEvidence, startEvidence } from '../policy/evidence.ts';
import { type OtherSettings, withOthers } from '../policy/settings.ts';
import type { Story, StoryPoint } from '../report/story.ts';
import { toEntries } from './seen.ts';

/** What the judge of a release saw and said, look by look, from the journal alone; `undefined` when nothing is on record. @throws {HeadgateError} `JOURNAL_UNREADABLE` */
export async function readStory(
  { journal }: Pick<Records, 'journal'>,
  release: number,
  signal: AbortSignal,
): Promise<Story | undefined> {
  return storyOf(toEntries(await journal.readEvidence(release, signal)));
}

/** The same evidence gives the same verdicts, bit by bit; with `others` it gives what a judge set like that would have said. */
export function storyOf(entries: readonly EvidenceEntry[], others: OtherSettings = {}): Story | undefined {
  const [first, ...rest] = entries;
  if (first?.kind !== 'start') return undefined;
  let state: EvidenceState = startEvidence(withOthers(first.settings, others));
  let compared: EvidenceState['verdict'] = state.verdict;
  let promoting: EvidenceState['verdict'] | undefined;
  const points: StoryPoint[] = [];
  for (const entry of rest) {
    state = foldEvidence(state, entry);
    if (state.judge.kind === 'comparison') compared = state.verdict;
    if (state.verdict.kind === 'promote') promoting = state.verdict;
    // What was counted while the last weight was on its way does not undo what it was asked for by.
    if (entry.kind === 'watch') compared = promoting ?? compared;
    if (entry.kind === 'sample') points.push(pointOf(entry, state));
  }
  const watch = state.judge.kind === 'watch' ? state.verdict : undefined;
  return { settings: state.judge.settings, points, compared, watch };
}

function pointOf(
  { at, sample }: Extract<EvidenceEntry, { kind: 'sample' }>,
  { verdict, judge }: EvidenceState,
): StoryPoint {
  const { seconds, candidateShare: share, probes } = sample;
  // Without a share of the users' requests the synthetic ones are what the lanes were compared by.
  const { live, candidate } = share === 0 && probes !== undefined ? probes : sample;
  return {
    at,
    seconds,
    share,
    watched: judge.kind === 'watch',
    live: countsOf(live, 'failed'),
    candidate: countsOf(candidate, 'failed'),
    verdict,
  };
}
