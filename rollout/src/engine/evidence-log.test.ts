import { expect, test } from '@jest/globals';
import { openMemoryJournal } from '../journal/memory.ts';
import type { EvidenceEntry } from '../policy/evidence.ts';
import { EvidenceLog } from './evidence-log.ts';

const signal = (): AbortSignal => AbortSignal.timeout(5_000);
const share = (percent: number): EvidenceEntry => ({ kind: 'share', share: percent });

test('EvidenceLog keeps what is added while a batch is being written', async () => {
  const { journal } = openMemoryJournal();
  const log: EvidenceLog = new EvidenceLog({
    ...journal,
    async appendEvidence(...args) {
      await journal.appendEvidence(...args);
      if ((await journal.readEvidence(1, signal())).length === 1) log.add(share(25));
    },
  });
  log.add(share(5));
  await log.flush(1, signal());

  await log.flush(1, signal());

  expect(await journal.readEvidence(1, signal())).toEqual([share(5), share(25)]);
});

test('EvidenceLog writes again what a journal did not take', async () => {
  const { journal } = openMemoryJournal();
  let isAway = true;
  const away = async (...args: Parameters<typeof journal.appendEvidence>) => {
    if (isAway) throw new Error('away');
    return journal.appendEvidence(...args);
  };
  const log = new EvidenceLog({ ...journal, appendEvidence: away });
  log.add(share(5));
  await expect(log.flush(1, signal())).rejects.toThrow('away');
  isAway = false;
  log.add(share(25));

  await log.flush(1, signal());

  expect(await journal.readEvidence(1, signal())).toEqual([share(5), share(25)]);
});
