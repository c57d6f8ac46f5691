/** What the performance gate may find, in headgate.yaml: shape, meaning and defaults. */
import type { PerfSpec } from '../spec.ts';
import { type Broken, isWritten, when } from './broken.ts';
import { duration, fields, percentage, whole } from './read.ts';

export const perf = fields({
  p50: duration,
  p95: duration,
  p99: duration,
  // Of fewer requests a round tells nothing of its 99th percentile; more are not sent by one process.
  perSecond: whole(50, 5_000),
  tolerance: percentage,
  tolerance99: percentage,
});

type WrittenPerf = NonNullable<ReturnType<typeof perf>>;

const defaults: PerfSpec = {
  msMax: { p50: 50, p95: 200, p99: 400 },
  perSec: 1_000,
  tolerancePercent: 10,
  tolerance99Percent: 25,
};

const percentiles = ['p50', 'p95', 'p99'] as const;
/** The load is given up on an answer after 6 s. */
const limitMaxMs = 5_000;
/** It keeps 256 connections for three requests in four; more at a time would wait for each other, and not for the service. */
const underWayMax = 250;

/** Paths begin below it. */
export function brokenPerf(written: WrittenPerf): readonly Broken[] {
  const { msMax, perSec } = normalizePerf(written);
  const underWay = (perSec * msMax.p50) / 1_000;
  return [
    ...percentiles.flatMap((name) =>
      when(msMax[name] < 1 || msMax[name] > limitMaxMs, { path: [name], rule: 'must be from 1ms to 5s' }),
    ),
    ...percentiles.slice(1).flatMap((name, index) => {
      const below = percentiles[index] ?? name;
      if (msMax[below] <= msMax[name]) return [];
      return isWritten(written, name)
        ? [{ path: [name], rule: `must be no less than ${below}, ${msMax[below]}ms` }]
        : [{ path: [below], rule: `must be no more than ${name}, ${msMax[name]}ms unless written` }];
    }),
    ...when(underWay > underWayMax, {
      path: [isWritten(written, 'perSecond') ? 'perSecond' : 'p50'],
      rule: `must leave at most ${underWayMax} requests under way: ${perSec} a second of ${msMax.p50}ms are ${Math.ceil(underWay)}`,
    }),
    ...(['tolerance', 'tolerance99'] as const).flatMap((name) =>
      when(written[name] !== undefined && (written[name] < 1 || written[name] > 100), {
        path: [name],
        rule: 'must be from 1% to 100%',
      }),
    ),
  ];
}

export function normalizePerf({ p50, p95, p99, perSecond, tolerance, tolerance99 }: WrittenPerf): PerfSpec {
  return {
    msMax: { p50: p50 ?? defaults.msMax.p50, p95: p95 ?? defaults.msMax.p95, p99: p99 ?? defaults.msMax.p99 },
    perSec: perSecond ?? defaults.perSec,
    tolerancePercent: tolerance ?? defaults.tolerancePercent,
    tolerance99Percent: tolerance99 ?? defaults.tolerance99Percent,
  };
}
