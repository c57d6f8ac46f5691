import { randomUUID } from 'node:crypto';
import type { Acquired, AppLock, Journal, Json, Lease, Records, Wish, WishBox } from './journal.ts';
import { limits, refuseOver } from './limits.ts';
import { lockLost } from './lost.ts';

/** Records that end with the object. */
export interface MemoryRecords extends Records {
  /** Gives the lock to `holder` whoever has it, as when the holder has stalled. */
  takeOver(holder: string): Lease;
}

/** Who shares the object shares the records, as processes share a folder. */
export function openMemoryJournal(): MemoryRecords {
  const { lock, takeOver } = memoryLock();
  return { journal: memoryJournal(), wishes: memoryWishBox(), lock, takeOver };
}

/** Values are kept as text, so that no caller can change what is stored. */
function memoryJournal(): Journal {
  let stored: { readonly text: string; readonly version: string } | undefined;
  const evidence = new Map<number, string[]>();
  return {
    async read(signal) {
      signal.throwIfAborted();
      return stored && { head: JSON.parse(stored.text) as Json, version: stored.version };
    },
    async write(head, expected, signal) {
      signal.throwIfAborted();
      if (stored?.version !== expected) return { kind: 'conflict' };
      const text = JSON.stringify(head);
      refuseOver(limits.headBytes, Buffer.byteLength(text), 'the head of the journal in bytes', 'make it smaller');
      stored = { text, version: randomUUID() };
      return { kind: 'written', version: stored.version };
    },
    async appendEvidence(release, entries, signal) {
      signal.throwIfAborted();
      const chunk = JSON.stringify(entries);
      refuseOver(limits.chunkBytes, Buffer.byteLength(chunk), 'a chunk of evidence in bytes', 'append less at once');
      if (entries.length > 0) evidence.set(release, [...(evidence.get(release) ?? []), chunk]);
      for (const old of [...evidence.keys()].sort((a, b) => b - a).slice(limits.releasesKept)) evidence.delete(old);
    },
    async readEvidence(release, signal) {
      signal.throwIfAborted();
      return (evidence.get(release) ?? []).flatMap((chunk) => JSON.parse(chunk) as readonly Json[]);
    },
  };
}

function memoryWishBox(): WishBox {
  let wishes: readonly Wish[] = [];
  return {
    async add(wish, signal) {
      signal.throwIfAborted();
      refuseOver(limits.wishes, wishes.length + 1, 'a wish', 'see who drives');
      const id = randomUUID();
      wishes = [...wishes, { ...structuredClone(wish), id }];
      return id;
    },
    async read(signal) {
      signal.throwIfAborted();
      return structuredClone(wishes);
    },
    async remove(ids, signal) {
      signal.throwIfAborted();
      wishes = wishes.filter(({ id }) => !ids.includes(id));
    },
  };
}

function memoryLock(): { lock: AppLock; takeOver(holder: string): Lease } {
  let held: { readonly holder: string; readonly since: number; readonly lost: AbortController } | undefined;

  function takeOver(holder: string): Lease {
    held?.lost.abort(lockLost('the lock'));
    const mine = { holder, since: Date.now(), lost: new AbortController() };
    held = mine;
    return {
      lost: mine.lost.signal,
      async [Symbol.asyncDispose]() {
        if (held === mine) held = undefined;
      },
    };
  }

  const lock: AppLock = {
    async acquire(holder, signal): Promise<Acquired> {
      signal.throwIfAborted();
      return held ? { kind: 'busy', holder: held.holder } : { kind: 'held', lease: takeOver(holder) };
    },
    async holding(signal) {
      signal.throwIfAborted();
      const seen = held;
      if (seen === undefined) return undefined;
      const { holder, since } = seen;
      const end = async () => {
        if (held !== seen) return false;
        seen.lost.abort(lockLost('the lock'));
        held = undefined;
        return true;
      };
      return { holder, since, renewal: holder, end };
    },
  };
  return { lock, takeOver };
}
