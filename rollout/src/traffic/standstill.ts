/** Counters that must stand still before a lane counts as closed. */

/** For so long. */
export const closedAfterMs = 2_000;

/** Remembers since when each counter has not moved. `nowMs` is a monotonic clock. */
export interface Standstill {
  /** For how long each of these has been seen at its present value, in ms: the shortest of all, 0 for a counter that is new. */
  stillMs(counters: ReadonlyMap<string, number>, nowMs: number): number;
}

export function watchStandstill(): Standstill {
  let seen = new Map<string, { readonly value: number; readonly sinceMs: number }>();
  return {
    stillMs(counters, nowMs) {
      seen = new Map(
        [...counters].map(([name, value]) => {
          const before = seen.get(name);
          return [name, before?.value === value ? before : { value, sinceMs: nowMs }];
        }),
      );
      return Math.min(...[...seen.values()].map(({ sinceMs }) => nowMs - sinceMs));
    },
  };
}
