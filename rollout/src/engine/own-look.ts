import type { Prime, Sample } from '../judge/sample.ts';
import type { LaneCounts } from '../judge/verdict.ts';
import { lanes as bothLanes, type Instant, type Lane, otherLane, type PerLane, perLane } from '../lane.ts';
import { difference } from '../metrics/difference.ts';
import type { LaneTotals, MetricsSeen } from '../metrics/metrics.ts';
import { openCounts, openValue } from '../metrics/own.ts';
import type { MetricSpec, ReleaseSpec } from '../spec.ts';
import { openBackground } from './background.ts';
import type { Emit } from './occurrence.ts';

/** The user's own metrics, each read by itself: one that cannot be read takes no other with it. */
export interface OwnLook {
  /** Before the candidate has weight: what live counted. Waits for nothing. */
  past(live: Lane, at: Instant): Prime['own'];
  /** What both lanes counted, and their values. Waits for nothing. */
  poll(candidate: Lane, at: Instant): Pick<Sample, 'own' | 'values'>;
  /** A new weight: what was counted up to now is nobody's, also when a source tells it late. */
  forget(at: Instant): void;
}

type Open = { readonly emit: Emit; readonly lost: AbortSignal };

export function openOwnLook(metrics: ReleaseSpec['metrics'], open: Open): OwnLook {
  const counters = Object.entries(metrics).flatMap(([name, metric]) =>
    metric.kind === 'failures' ? [[name, openCounter(name, metric, open)] as const] : [],
  );
  const gauges = Object.entries(metrics).flatMap(([name, metric]) =>
    metric.kind === 'limit' ? [[name, openGauge(name, metric, open)] as const] : [],
  );
  const countsOf = (lanes: readonly Lane[], at: Instant) =>
    counters.flatMap(([name, counter]) => {
      const seen = counter.poll(lanes, at);
      return seen === undefined ? [] : [[name, seen] as const];
    });
  return {
    past: (live, at) =>
      told(countsOf([live], at).map(([name, { seconds, lanes }]) => [name, { seconds, live: lanes[live] }])),
    poll(candidate, at) {
      const live = otherLane(candidate);
      const counts = countsOf(bothLanes, at).map(
        ([name, { seconds, lanes }]) => [name, { seconds, live: lanes[live], candidate: lanes[candidate] }] as const,
      );
      const values = gauges.flatMap(([name, gauge]) => {
        const seen = gauge.poll(at);
        const own = seen?.[candidate];
        return own === undefined ? [] : [[name, { live: seen?.[live] ?? null, candidate: own }] as const];
      });
      return { own: told(counts), values: told(values) };
    },
    forget(at) {
      for (const [, counter] of counters) counter.forget(at);
      for (const [, gauge] of gauges) gauge.forget();
    },
  };
}

function told<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> | undefined {
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

type Counted = { readonly seconds: number; readonly lanes: PerLane<LaneCounts> };

function openCounter(name: string, { from }: Extract<MetricSpec, { kind: 'failures' }>, { emit, lost }: Open) {
  let read: ReturnType<typeof openCounts> | undefined;
  let asked: readonly Lane[] = [];
  let mark: { readonly at: Instant; readonly seen: MetricsSeen } | undefined;
  const background = openBackground(
    async (at, signal) => {
      read ??= openCounts(from, at);
      const seen = await read(asked, at, signal);
      return seen && { at, seen };
    },
    { emit: named(name, emit), lost },
  );
  return {
    poll(lanes: readonly Lane[], at: Instant): Counted | undefined {
      asked = lanes;
      const now = background.poll(at);
      if (now === undefined) return undefined;
      const before = mark;
      mark = now;
      const grown = before && difference(before.seen, now.seen);
      if (before === undefined || grown === undefined) return undefined;
      return {
        seconds: (now.at - before.at) / 1_000,
        lanes: { blue: laneCounts(grown.blue), green: laneCounts(grown.green) },
      };
    },
    forget(at: Instant): void {
      background.forget();
      read = openCounts(from, at);
      mark = undefined;
    },
  };
}

function laneCounts({ weighted: { requests, failed } }: LaneTotals): LaneCounts {
  return { requests, failures: Math.min(requests, failed) };
}

function openGauge(name: string, { from }: Extract<MetricSpec, { kind: 'limit' }>, { emit, lost }: Open) {
  const read = openValue(from);
  return openBackground((_at, signal) => perLane((lane) => read(lane, signal)), { emit: named(name, emit), lost });
}

/** Whoever reads that something cannot be seen must know which metric is meant. */
function named(name: string, emit: Emit): Emit {
  return (occurrence) =>
    emit(
      occurrence.kind === 'unseen' ? { ...occurrence, message: `metric ${name}: ${occurrence.message}` } : occurrence,
    );
}
