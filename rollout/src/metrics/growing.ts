/** Counters of many processes as one that only grows. */

/** One process that counts: `start` changes when its counters begin anew. Keys of `counts` are the series that are wanted. */
export type Reading = {
  readonly process: string;
  readonly start: string;
  readonly counts: ReadonlyMap<string, number>;
};

/**
 * Growth since the first reading, whoever still reports it: a series that its process has dropped keeps what it had, and begins at nothing
 * if it returns. What a process counted before its first reading and after its last one is lost; nothing is counted twice.
 */
export interface Growing {
  add(readings: readonly Reading[]): void;
  /** Growth per series over all processes ever read. */
  readonly sums: ReadonlyMap<string, number>;
  /** How often a known process began anew: then something may be missing from the sums. */
  readonly breaks: number;
}

/** Processes that are gone are remembered, as they may only have been out of sight. */
const processesMax = 500;

export function startGrowing(): Growing {
  const sums = new Map<string, number>();
  const last = new Map<string, Reading>();
  let breaks = 0;
  return {
    add(readings) {
      for (const reading of readings) {
        const before = last.get(reading.process);
        const begunAnew = before !== undefined && before.start !== reading.start;
        if (begunAnew) breaks += 1;
        if (before !== undefined) grow(sums, begunAnew ? new Map() : before.counts, reading.counts);
        last.delete(reading.process); // The newest is last, the oldest is forgotten first.
        last.set(reading.process, reading);
      }
      for (const process of [...last.keys()].slice(0, Math.max(0, last.size - processesMax))) last.delete(process);
    },
    sums,
    get breaks() {
      return breaks;
    },
  };
}

function grow(
  sums: Map<string, number>,
  before: ReadonlyMap<string, number>,
  counts: ReadonlyMap<string, number>,
): void {
  for (const [series, count] of counts) {
    const known = before.get(series) ?? 0;
    sums.set(series, (sums.get(series) ?? 0) + (count >= known ? count - known : count));
  }
}
