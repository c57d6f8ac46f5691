import { type Lane, lanes, type PerLane } from '../lane.ts';
import type { ProcessSeen, Series } from './processes.ts';

/** What each process had counted when it was last read. Processes that are gone are kept for a while: a list may miss one. */
export type ProcessBook = ReadonlyMap<string, { readonly series: Series; readonly missed: number }>;

export type Grown = {
  readonly book: ProcessBook;
  /** What all processes of each lane counted since the last whole reading; `undefined`: this one is the first. */
  readonly lanes: PerLane<Series> | undefined;
};

const missedMax = 60;
const warmUpSec = 40;

/**
 * What was counted since the last reading. A reading that misses a ready process is none: its book stays as it is, and
 * the next whole one brings what this one would have. A process that is new, or whose counts fell because it began anew,
 * brings all it has; one that is gone brings nothing any more. One that is not ready need not answer.
 *
 * @returns `undefined` if the reading is not whole
 */
export function grow(
  before: ProcessBook | undefined,
  seen: PerLane<readonly ProcessSeen[]>,
  atSec: number,
): Grown | undefined {
  if (lanes.some((lane) => seen[lane].some(({ ready, series }) => ready && series === undefined))) return undefined;
  const book = booked(before ?? new Map(), seen);
  if (before === undefined) return { book, lanes: undefined };
  const of = (lane: Lane) =>
    sum(seen[lane].map(({ id, series }) => warm(since(before.get(id)?.series ?? {}, series), series, atSec)));
  return { book, lanes: { blue: of('blue'), green: of('green') } };
}

function booked(before: ProcessBook, seen: PerLane<readonly ProcessSeen[]>): ProcessBook {
  const kept = [...before]
    .map(([id, { series, missed }]) => [id, { series, missed: missed + 1 }] as const)
    .filter(([, { missed }]) => missed <= missedMax);
  const read = lanes
    .flatMap((lane) => seen[lane])
    .flatMap(({ id, series }) => (series === undefined ? [] : [[id, { series, missed: 0 }] as const]));
  return new Map([...kept, ...read]);
}

/** Young processes compile and connect at their users' cost. What they did counts, how long it took does not. */
function warm(grown: Series, series: Series | undefined, atSec: number): Series {
  const startedAtSec = series?.['startedAtSec'] ?? Number.NEGATIVE_INFINITY;
  if (atSec - startedAtSec >= warmUpSec) return grown;
  return Object.fromEntries(Object.entries(grown).filter(([name]) => !/^(latency|ackTime)(\/|$)/.test(name)));
}

/** Counters only rise: one that fell began anew, and all others of its process with it. */
function since(before: Series, after: Series | undefined): Series {
  if (after === undefined) return {};
  const fell = Object.entries(before).some(([name, count]) => (after[name] ?? 0) < count);
  return Object.fromEntries(
    Object.entries(after).map(([name, count]) => [name, fell ? count : count - (before[name] ?? 0)]),
  );
}

function sum(all: readonly Series[]): Series {
  const total: Record<string, number> = {};
  for (const series of all) {
    for (const [name, count] of Object.entries(series)) total[name] = (total[name] ?? 0) + count;
  }
  return total;
}
