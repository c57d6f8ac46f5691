import { randomUUID } from 'node:crypto';

/** UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then the random part of a version 4. */
export function uuidV7(nowMs: number, random: string = randomUUID()): string {
  const time = nowMs.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}

/**
 * The server drops a repeated id in silence while it remembers it: the stream's window of 100 ms, and up to 50 ms more,
 * because it forgets by a timer that fires no faster (seen on 2.15: of 150 repeats after 110 ms 119 were dropped, after
 * 150 ms one, after 155 ms none). The rest is for the way there.
 */
const WINDOW_MS = 170;

/** When each id that a client chose was last published, for as long as that matters. Times are of one monotonic clock. */
export class RecentIds {
  /** In the order of publication, so that the old ones are in front. */
  readonly #publishedAt = new Map<string, number>();

  get size(): number {
    return this.#publishedAt.size;
  }

  /** How long to wait before this id may be published (again); 0 is now. */
  waitMs(id: string, now: number): number {
    const at = this.#publishedAt.get(id);
    return at === undefined ? 0 : Math.max(0, at + WINDOW_MS - now);
  }

  published(id: string, now: number): void {
    this.#publishedAt.delete(id);
    this.#publishedAt.set(id, now);
    for (const [old, at] of this.#publishedAt) {
      if (at + WINDOW_MS > now) break;
      this.#publishedAt.delete(old);
    }
  }
}
