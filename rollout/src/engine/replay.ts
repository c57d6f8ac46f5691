import type { Records } from '../journal/journal.ts';
import type { EvidenceEntry } from '../policy/evidence.ts';
import type { OtherSettings } from '../policy/settings.ts';
import type { Replay } from '../report/replay.ts';
import { readHead } from './book.ts';
import { toEntries } from './seen.ts';
import { storyOf } from './story.ts';

/** A release on record, judged again as it was and with `others`; `undefined` when no evidence of it is kept. @throws {HeadgateError} `JOURNAL_UNREADABLE` */
export async function readReplay(
  { journal }: Pick<Records, 'journal'>,
  release: number,
  others: OtherSettings,
  signal: AbortSignal,
): Promise<Replay | undefined> {
  const [evidence, head] = await Promise.all([journal.readEvidence(release, signal), readHead(journal, '', signal)]);
  return replayOf(toEntries(evidence), others, {
    decisions: head.decisions.filter((decision) => decision.release === release),
    ended: head.history.find(({ id }) => id === release),
  });
}

/** The same of evidence from anywhere; then nothing was decided on it. */
export function replayOf(
  entries: readonly EvidenceEntry[],
  others: OtherSettings,
  record: Pick<Replay, 'decisions' | 'ended'> = { decisions: [], ended: undefined },
): Replay | undefined {
  const recorded = storyOf(entries);
  const isOther = Object.keys(others).length > 0;
  return recorded && { recorded, other: isOther ? storyOf(entries, others) : undefined, ...record };
}
