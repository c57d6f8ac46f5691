/** From the samples of processes that count to totals per lane. */
import { type Lane, lanes, type PerLane } from '../lane.ts';
import { type Sample, samplesOf } from './exposition.ts';
import { type Growing, type Reading, startGrowing } from './growing.ts';
import type { LaneTotals, MetricsSeen, Totals } from './metrics.ts';

export type Way = keyof LaneTotals;
export type Counted = { readonly lane: Lane; readonly way: Way; readonly what: keyof Totals; readonly sample: Sample };

/** What the samples of one process say of the lanes; each kind of process has its own. */
export type CountsIn = (samples: readonly Sample[]) => readonly Counted[];

/**
 * What a page of counters lacks of its kind; `undefined`: nothing. A counter that is not there has counted nothing only where it would stand.
 *
 * @param always name of a sample that every page of the kind has, whatever was counted
 */
export function lackIn(samples: readonly Sample[], always: string): string | undefined {
  return samples.some(({ name }) => name === always) ? undefined : `its page of counters has no ${always}`;
}

export type Weighted =
  | { readonly kind: 'counted'; readonly requests: PerLane<number> }
  | { readonly kind: 'strange'; readonly why: string };

/** Requests that came by weight, in the counters of one process. */
export function weightedIn(countsIn: CountsIn, always: string): (text: string) => Weighted {
  return (text) => {
    const samples = samplesOf(text).filter((sample) => sample !== undefined);
    const why = lackIn(samples, always);
    if (why !== undefined) return { kind: 'strange', why };
    const counted = countsIn(samples).filter(({ way, what }) => way === 'weighted' && what === 'requests');
    const of = (lane: Lane): number =>
      counted.reduce((sum, one) => sum + (one.lane === lane ? one.sample.value : 0), 0);
    return { kind: 'counted', requests: { blue: of('blue'), green: of('green') } };
  };
}

/** Totals over many processes, as one epoch until one of them begins anew. */
export interface Tally {
  add(processes: readonly { readonly name: string; readonly samples: readonly Sample[] }[]): MetricsSeen;
}

/** @param name no two tallies may share one: their totals begin at different moments */
export function startTally(countsIn: CountsIn, name: string): Tally {
  const growing = startGrowing();
  let present: ReadonlySet<string> = new Set();
  return {
    add(processes) {
      const readings = processes.map(({ name: process, samples }) => readingOf(process, samples, countsIn(samples)));
      growing.add(readings);
      const before = present;
      present = new Set(processes.map(({ name: process }) => process));
      const isSame = present.size === before.size && [...present].every((process) => before.has(process));
      return { ...seenOf(growing, name), uneven: !isSame };
    },
  };
}

/** The process's start is a metric of every Prometheus client library. */
function readingOf(process: string, samples: readonly Sample[], counted: readonly Counted[]): Reading {
  const start = samples.find(({ name }) => name === 'process_start_time_seconds')?.value;
  const counts = counted.map((one): [string, number] => [
    `${keyOf(one)} ${one.sample.name} ${JSON.stringify(one.sample.labels)}`,
    one.sample.value,
  ]);
  return { process, start: String(start), counts: new Map(counts) };
}

function keyOf({ lane, way, what }: Omit<Counted, 'sample'>): string {
  return `${lane} ${way} ${what}`;
}

function seenOf(growing: Growing, name: string): MetricsSeen {
  const total = (lane: Lane, way: Way): Totals => {
    const count = (what: keyof Totals): number => sumOf(growing.sums, `${keyOf({ lane, way, what })} `);
    return { requests: count('requests'), failed: count('failed'), refused: count('refused') };
  };
  const [blue, green] = lanes.map((lane) => ({ weighted: total(lane, 'weighted'), pinned: total(lane, 'pinned') }));
  return { epoch: `${name}.${growing.breaks}`, lanes: { blue, green } as MetricsSeen['lanes'] };
}

function sumOf(sums: ReadonlyMap<string, number>, start: string): number {
  return [...sums].reduce((sum, [series, count]) => sum + (series.startsWith(start) ? count : 0), 0);
}
