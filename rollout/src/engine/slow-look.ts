import type { SparseHistogram } from '../judge/histogram.ts';
import type { QueueCounts, Slow } from '../judge/sample.ts';
import { type Instant, type Lane, type PerLane, perLane } from '../lane.ts';
import { grow, type ProcessBook } from '../metrics/growth.ts';
import { bucketsIn, type ProcessSeen, type Series } from '../metrics/processes.ts';
import type { Platform } from '../platform/platform.ts';
import { type Flow, type FlowBook, flow } from '../queue/flow.ts';
import type { LaneQueueSeen } from '../queue/queue.ts';
import { openBackground } from './background.ts';
import type { Emit } from './occurrence.ts';

/** What the lanes' own processes and the queue say: read beside the engine's looks, because a process that hangs must not hold one up. */
export interface SlowLook {
  /** Begins to read when it is time, and gives what was read and not yet given. Waits for nothing. */
  poll(at: Instant): SlowSeen | undefined;
  /** Reads now, whatever is under way. `undefined`: it could not be read. */
  fresh(at: Instant, signal: AbortSignal): Promise<SlowSeen | undefined>;
  /** Forgets where the next stretch would begin: what was counted up to the next reading is nobody's. */
  forget(): void;
}

/** What was counted in each lane since the last reading. */
export type SlowSeen = {
  readonly seconds: number;
  /** `undefined` for the first reading: nothing to compare with. */
  readonly lanes: PerLane<LaneSlow> | undefined;
  /** What each lane can tell at all. */
  readonly tells: PerLane<readonly Slow[]>;
  /** Latencies from before the first reading, at most about ten minutes of them: a lane's processes know their past. */
  readonly past: PerLane<Past>;
};

/** `undefined`: the lane does not tell, or has young processes only. */
export type LaneSlow = {
  readonly latency: SparseHistogram | undefined;
  readonly ackTime: SparseHistogram | undefined;
  readonly flow: QueueCounts | undefined;
};
export type Past = { readonly latency: SparseHistogram; readonly ackTime: SparseHistogram };

type Raw = {
  readonly at: Instant;
  readonly processes: PerLane<readonly ProcessSeen[]>;
  readonly queues: PerLane<LaneQueueSeen | undefined>;
};

const pastSec = 600;

export function openSlowLook(ports: Pick<Platform, 'processes' | 'queue'>, emit: Emit, lost: AbortSignal): SlowLook {
  const background = openBackground((at, signal) => look(ports, at, signal), { emit, lost });
  let marks = noMarks;

  function given(seen: Raw | undefined): SlowSeen | undefined {
    if (seen === undefined) return undefined;
    const told = tell(marks, seen);
    marks = told?.marks ?? marks;
    return told?.seen;
  }

  return {
    poll: (at) => given(background.poll(at)),
    async fresh(at, signal) {
      return given(await background.fresh(at, signal));
    },
    forget() {
      background.forget();
      marks = noMarks;
    },
  };
}

/** The queue first: a message that is acked in between must not look as if it had expired. */
async function look({ processes, queue }: Pick<Platform, 'processes' | 'queue'>, at: Instant, signal: AbortSignal) {
  const queues = await perLane(async (lane) => queue?.observe(lane, signal));
  return { at, queues, processes: await perLane(async (lane) => (await processes?.observe(lane, signal)) ?? []) };
}

type Marks = {
  readonly at: Instant | undefined;
  readonly book: ProcessBook | undefined;
  readonly flows: PerLane<FlowBook | undefined>;
};

const noMarks: Marks = { at: undefined, book: undefined, flows: { blue: undefined, green: undefined } };

function tell(marks: Marks, raw: Raw): { readonly marks: Marks; readonly seen: SlowSeen } | undefined {
  const grown = grow(marks.book, raw.processes, raw.at / 1_000);
  if (grown === undefined) return undefined;
  const flowOf = (lane: Lane) => laneFlow(marks.flows[lane], raw.queues[lane], grown.lanes, lane);
  const flows = { blue: flowOf('blue'), green: flowOf('green') };
  const tells = { blue: tellsOf(raw, 'blue'), green: tellsOf(raw, 'green') };
  const slow = (lane: Lane, series: PerLane<Series>): LaneSlow => ({
    latency: series[lane]['latency'] === undefined ? undefined : bucketsIn(series[lane], 'latency/'),
    ackTime: series[lane]['ackTime'] === undefined ? undefined : bucketsIn(series[lane], `ackTime/${lane}/`),
    flow: tells[lane].includes('flow') ? flows[lane].flow : undefined,
  });
  return {
    marks: { at: raw.at, book: grown.book, flows: { blue: flows.blue.book, green: flows.green.book } },
    seen: {
      seconds: marks.at === undefined ? 0 : Math.max(0, (raw.at - marks.at) / 1_000),
      lanes: grown.lanes && { blue: slow('blue', grown.lanes), green: slow('green', grown.lanes) },
      tells,
      past: { blue: pastOf(raw, 'blue'), green: pastOf(raw, 'green') },
    },
  };
}

/** Whoever worked on the lane's messages counts, of either lane. */
function laneFlow(
  before: FlowBook | undefined,
  seen: LaneQueueSeen | undefined,
  grown: PerLane<Series> | undefined,
  lane: Lane,
): { readonly book: FlowBook | undefined; readonly flow: Flow | undefined } {
  if (seen === undefined) return { book: before, flow: undefined };
  const of = (name: string) => (grown?.blue[`${name}/${lane}`] ?? 0) + (grown?.green[`${name}/${lane}`] ?? 0);
  return flow(before, seen, { acked: of('acked'), terminated: of('terminated') });
}

function tellsOf({ processes, queues }: Raw, lane: Lane): readonly Slow[] {
  const has = (name: 'latency' | 'acked') => processes[lane].some(({ series }) => series?.[name] !== undefined);
  return [
    ...(has('latency') ? (['latency'] as const) : []),
    ...(has('acked') ? (['ackTime'] as const) : []),
    ...(has('acked') && queues[lane] !== undefined ? (['flow'] as const) : []),
  ];
}

/** A process counts from its start on; of what is older than ten minutes only its part of the whole is taken. */
function pastOf({ at, processes }: Raw, lane: Lane): Past {
  const scaled = processes[lane].map(({ series }) => {
    const ageSec = at / 1_000 - (series?.['startedAtSec'] ?? Number.NEGATIVE_INFINITY);
    return { series: series ?? {}, part: ageSec > 0 ? Math.min(1, pastSec / ageSec) : 0 };
  });
  const of = (prefix: string) => {
    const total = new Map<number, number>();
    for (const { series, part } of scaled) {
      for (const [bucket, count] of bucketsIn(series, prefix))
        total.set(bucket, (total.get(bucket) ?? 0) + count * part);
    }
    return [...total].sort(([a], [b]) => a - b);
  };
  return { latency: of('latency/'), ackTime: of(`ackTime/${lane}/`) };
}
