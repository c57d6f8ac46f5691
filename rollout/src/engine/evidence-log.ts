import type { Journal, Json } from '../journal/journal.ts';
import type { Instant } from '../lane.ts';
import type { EvidenceEntry } from '../policy/evidence.ts';

/** Short, so that `status` is never far behind; a journal whose writes cost more may gather them. */
const flushMs = 2_000;

/** Entries on their way into the journal: kept until they are there, and written one batch after the other. */
export class EvidenceLog {
  readonly #journal: Journal;
  #unwritten: EvidenceEntry[] = [];
  #last: Promise<void> = Promise.resolve();
  #isWriting = false;
  #flushedAt: number | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  add(entry: EvidenceEntry): void {
    this.#unwritten.push(entry);
  }

  /** The next look writes what there is. */
  hasten(): void {
    this.#flushedAt = undefined;
  }

  /** Not waited for: a journal that hangs must not keep the judge from its next look. What fails goes with the next batch. */
  flushIfDue(release: number, at: Instant, signal: AbortSignal): void {
    if (this.#isWriting || at - (this.#flushedAt ?? 0) < flushMs) return;
    this.#flushedAt = at;
    void this.flush(release, signal).catch(() => this.hasten());
  }

  /** Resolves when all that was added is in the journal. */
  flush(release: number, signal: AbortSignal): Promise<void> {
    this.#isWriting = true;
    const written = this.#last.then(() => this.#write(release, signal));
    this.#last = written
      .catch(() => {}) // Told to whoever waits for this batch.
      .finally(() => {
        this.#isWriting = false;
      });
    return written;
  }

  async #write(release: number, signal: AbortSignal): Promise<void> {
    const entries = [...this.#unwritten]; // More may be added meanwhile.
    if (entries.length === 0) return;
    await this.#journal.appendEvidence(release, JSON.parse(JSON.stringify(entries)) as Json[], signal);
    this.#unwritten = this.#unwritten.slice(entries.length);
  }
}
