import type { Lane, PerLane } from '../lane.ts';
import type { ProcessSeen, Series } from '../metrics/processes.ts';

/** Which half each process of one lane belongs to. The halves are called by the lanes' names: `blue` plays live, `green` the candidate. */
export type Halves = ReadonlyMap<string, Lane>;

/** A process keeps its half for as long as it is there; a new one joins where fewer of its kind are. */
export function halve(before: Halves, seen: readonly ProcessSeen[]): Halves {
  const halves = new Map(seen.flatMap(({ id }) => entryOf(id, before.get(id))));
  for (const process of seen) {
    const { id, series } = process;
    if (halves.has(id) || series === undefined) continue;
    const count = (half: Lane) =>
      seen.filter((one) => kindOf(one.series) === kindOf(series) && halves.get(one.id) === half).length;
    halves.set(id, count('green') < count('blue') ? 'green' : 'blue');
  }
  return halves;
}

/** What was seen, as if the halves were lanes. */
export function asLanes(halves: Halves, seen: readonly ProcessSeen[]): PerLane<readonly ProcessSeen[]> {
  const of = (half: Lane) => seen.filter(({ id }) => (halves.get(id) ?? 'blue') === half);
  return { blue: of('blue'), green: of('green') };
}

function entryOf(id: string, half: Lane | undefined): readonly (readonly [string, Lane])[] {
  return half === undefined ? [] : [[id, half]];
}

/** Those that answer users, those that work off messages, and others. */
function kindOf(series: Series | undefined): string {
  return series?.['requests'] !== undefined ? 'proxy' : series?.['acked'] !== undefined ? 'worker' : 'other';
}
