import { withDeadline } from '../deadline.ts';
import type { Instant } from '../lane.ts';
import type { Emit } from './occurrence.ts';

/** Readings beside the engine's looks, because a source that hangs must not hold one up. */
export interface Background<Raw> {
  /** Begins to read when it is time, and gives what was read and not yet given. Waits for nothing. */
  poll(at: Instant): Raw | undefined;
  /** Reads now, whatever is under way. `undefined`: it could not be read. */
  fresh(at: Instant, signal: AbortSignal): Promise<Raw | undefined>;
  /** Forgets what was read and not given, and what is being read. */
  forget(): void;
}

const everyMs = 2_000;
const readMaxMs = 2_000;

/** `look` throws when the source cannot be read, and answers `undefined` when it has nothing to say yet. */
export function openBackground<Raw>(
  look: (at: Instant, signal: AbortSignal) => Promise<Raw | undefined>,
  { emit, lost }: { readonly emit: Emit; readonly lost: AbortSignal },
): Background<Raw> {
  let begunAt: Instant | undefined;
  let reading = false;
  let turn = 0;
  let raw: Raw | undefined;

  async function read(at: Instant, signal: AbortSignal): Promise<Raw | undefined> {
    begunAt = at;
    try {
      return await look(at, withDeadline(signal, readMaxMs));
    } catch (error) {
      // Not read is no sample; the judge says so when it lasts, and the person on call hears of it.
      emit({ kind: 'unseen', at, port: 'metrics', message: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }

  function begin(at: Instant): void {
    reading = true;
    const ours = turn;
    void read(at, lost).then((seen) => {
      reading = false;
      // Overtaken by a newer reading: what it counted is in that one.
      if (ours === turn) raw = seen ?? raw;
    });
  }

  return {
    poll(at) {
      const seen = raw;
      raw = undefined;
      if (!reading && (begunAt === undefined || at - begunAt >= everyMs)) begin(at);
      return seen;
    },
    async fresh(at, signal) {
      turn += 1;
      raw = undefined; // What lay there is older.
      return read(at, signal);
    },
    forget() {
      turn += 1;
      raw = undefined;
    },
  };
}
