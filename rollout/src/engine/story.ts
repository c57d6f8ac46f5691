import type { Records } from '../journal/journal.ts';
import { type EvidenceEntry, type EvidenceState, foldEvidence, startEvidence } from '../policy/evidence.ts';
import type { Story, StoryPoint } from '../report/story.ts';
import { toEntries } from './status.ts';

/** What the judge of a release saw and said, look by look, from the journal alone; `undefined` when nothing is on record. @throws {HeadgateError} `JOURNAL_UNREADABLE` */
export async function readStory(
  { journal }: Pick<Records, 'journal'>,
  release: number,
  signal: AbortSignal,
): Promise<Story | undefined> {
  return storyOf(release, toEntries(await journal.readEvidence(release, signal)));
}

export function storyOf(release: number, entries: readonly EvidenceEntry[]): Story | undefined {
  const [first, ...rest] = entries;
  if (first?.kind !== 'start') return undefined;
  let state: EvidenceState = startEvidence(first.settings);
  let compared: EvidenceState['verdict'] = state.verdict;
  const points: StoryPoint[] = [];
  for (const entry of rest) {
    state = foldEvidence(state, entry);
    if (state.judge.kind === 'comparison') compared = state.verdict;
    if (entry.kind === 'sample') points.push(pointOf(entry, state));
  }
  return { release, settings: state.judge.settings, points, compared, last: state.verdict };
}

function pointOf(
  { at, sample }: Extract<EvidenceEntry, { kind: 'sample' }>,
  { verdict, judge }: EvidenceState,
): StoryPoint {
  return {
    at,
    share: sample.candidateShare,
    watched: judge.kind === 'watch',
    live: { requests: sample.live.requests, failures: Math.min(sample.live.requests, sample.live.failed) },
    candidate: {
      requests: sample.candidate.requests,
      failures: Math.min(sample.candidate.requests, sample.candidate.failed),
    },
    logRollback: verdict.logRollback,
    logPromote: verdict.logPromote,
  };
}
