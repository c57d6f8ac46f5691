import { expect, test } from '@jest/globals';
import { describeRecords } from './journal.contract.ts';
import { openMemoryJournal } from './memory.ts';

describeRecords('memory', async () => {
  const records = openMemoryJournal();
  return { records, reopen: () => records };
});

test('takeOver() tells the former holder that the lock is lost', async () => {
  const { lock, takeOver } = openMemoryJournal();
  const signal = AbortSignal.timeout(1_000);
  const acquired = await lock.acquire('stalled', signal);

  takeOver('next');

  expect(acquired.kind === 'held' && acquired.lease.lost.aborted).toBe(true);
  expect((await lock.holding(signal))?.holder).toBe('next');
});
