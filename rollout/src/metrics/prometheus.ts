/**
 * Counts that a Prometheus server has scraped, for a gateway or proxies that cannot be asked directly. It is the slowest way: what it
 * gives is as old as its last scrape.
 */
import { randomUUID } from 'node:crypto';
import { type CountsIn, startTally } from './counts.ts';
import type { Sample } from './exposition.ts';
import type { Metrics } from './metrics.ts';
import { seriesIn, unreadable } from './prometheus-query.ts';

export type PrometheusTarget = {
  /** Such as `http://prometheus.monitoring:9090`. */
  readonly url: string;
  /** Selectors of the counters, and of all else that `countsIn` reads, such as `{job="traefik",__name__=~"traefik_service_requests_total|process_start_time_seconds"}`. Nothing is computed: sums over restarts would fall. */
  readonly selector: string;
  readonly countsIn: CountsIn;
  /** What was scraped longer ago says nothing of now, in seconds: about three scrape intervals. */
  readonly ageMaxS: number;
};

export function openPrometheusMetrics(target: PrometheusTarget): Metrics {
  const tally = startTally(target.countsIn, randomUUID());
  return {
    async observe(signal) {
      signal.throwIfAborted();
      // The range ends now, so a series that was not scraped in it is not there: no old value stands in for it.
      const { url, selector, ageMaxS } = target;
      const series = await seriesIn(url, { selector, ageMaxS }, signal);
      if (series.length === 0) throw unreadable(url, `nothing scraped in the last ${ageMaxS} s`);
      return tally.add(byInstance(series.map(({ sample }) => sample)));
    },
  };
}

/** Prometheus names each process that it scrapes by its job and instance. */
export function byInstance(
  samples: readonly Sample[],
): readonly { readonly name: string; readonly samples: readonly Sample[] }[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const name = `${sample.labels['job']} ${sample.labels['instance']}`;
    groups.set(name, [...(groups.get(name) ?? []), sample]);
  }
  return [...groups].map(([name, group]) => ({ name, samples: group }));
}
