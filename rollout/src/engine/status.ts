import type { Records } from '../journal/journal.ts';
import { instant } from '../lane.ts';
import type { FirstFacts, StatusFacts } from '../report/status.ts';
import type { Spec } from '../spec.ts';
import { readHead } from './book.ts';

/**
 * Everything that `status` shows, from the journal alone: nobody asks the engine.
 *
 * @param seen hears of the head as soon as it is there, which is before anybody asks for the evidence
 * @throws {HeadgateError} `JOURNAL_UNREADABLE`
 */
export async function readStatus(
  records: Records,
  spec: Spec,
  signal: AbortSignal,
  seen: (first: FirstFacts) => void = () => {},
): Promise<StatusFacts> {
  const now = instant(Date.now());
  const [head, holding] = await Promise.all([
    readHead(records.journal, spec.app, signal).then((head) => {
      seen({ head, now });
      return head;
    }),
    records.lock.holding(signal),
  ]);
  const driver = holding?.holder;
  // The judge takes as long to load as all that the first line needs, and has the time until the evidence is here.
  const [stored, { seenOf }] = await Promise.all([
    head.release === undefined ? [] : records.journal.readEvidence(head.release.id, signal),
    import('./seen.ts'),
  ]);
  return { head, driver, now, ...seenOf(stored, head.release, driver !== undefined) };
}
