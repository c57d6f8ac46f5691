/**
 * Counts that a Prometheus server has scraped, for a gateway or proxies that cannot be asked directly. It is the slowest way: what it
 * gives is as old as its last scrape.
 */
import { randomUUID } from 'node:crypto';
import { HeadgateError } from '../errors.ts';
import { type CountsIn, startTally } from './counts.ts';
import type { Sample } from './exposition.ts';
import type { Metrics } from './metrics.ts';

export type PrometheusTarget = {
  /** Such as `http://prometheus.monitoring:9090`. */
  readonly url: string;
  /** Selectors of the counters, and of all else that `countsIn` reads, such as `{job="traefik",__name__=~"traefik_service_requests_total|process_start_time_seconds"}`. Nothing is computed: sums over restarts would fall. */
  readonly selector: string;
  readonly countsIn: CountsIn;
  /** What was scraped longer ago says nothing of now, in seconds: about three scrape intervals. */
  readonly ageMaxS: number;
};

const queryMaxMs = 1_500;

export function openPrometheusMetrics(target: PrometheusTarget): Metrics {
  const tally = startTally(target.countsIn, randomUUID());
  return {
    async observe(signal) {
      signal.throwIfAborted();
      // The range ends now, so a series that was not scraped in it is not there: no old value stands in for it.
      const series = await query(target, `${target.selector}[${target.ageMaxS}s]`, signal);
      if (series.length === 0) throw unreachable(target, `nothing scraped in the last ${target.ageMaxS} s`);
      return tally.add(byInstance(series.map(sampleOf)));
    },
  };
}

type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
};

async function query(target: PrometheusTarget, text: string, signal: AbortSignal): Promise<readonly Series[]> {
  try {
    const answer = await fetch(`${target.url}/api/v1/query?${new URLSearchParams({ query: text })}`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(queryMaxMs)]),
    });
    const body = (await answer.json()) as {
      readonly error?: string;
      readonly data?: { readonly result: readonly Series[] };
    };
    if (body.data !== undefined) return body.data.result;
    throw new Error(`${answer.status} ${body.error ?? ''}`);
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachable(target, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function sampleOf({ metric, values }: Series): Sample {
  const { __name__: name = '', ...labels } = metric;
  return { name, labels, value: Number(values.at(-1)?.[1]) };
}

/** Prometheus names each process that it scrapes by its job and instance. */
function byInstance(
  samples: readonly Sample[],
): readonly { readonly name: string; readonly samples: readonly Sample[] }[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const name = `${sample.labels['job']} ${sample.labels['instance']}`;
    groups.set(name, [...(groups.get(name) ?? []), sample]);
  }
  return [...groups].map(([name, group]) => ({ name, samples: group }));
}

function unreachable({ url }: Pick<PrometheusTarget, 'url'>, found: string, cause?: unknown): HeadgateError {
  return new HeadgateError(
    'METRICS_UNREACHABLE',
    `Cannot count requests as Prometheus at "${url}" must answer with fresh samples: current value is "${found}"`,
    { hint: 'open its page "Targets" to see what it scrapes, and when', cause },
  );
}
