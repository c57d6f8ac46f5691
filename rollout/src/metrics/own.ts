/** Where the user's own metrics are read. */

import { randomUUID } from 'node:crypto';
import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import { lanes as bothLanes, type Instant, type Lane } from '../lane.ts';
import { forLane } from '../spec/metrics.ts';
import type { CountsFrom, ValueFrom } from '../spec.ts';
import { startTally } from './counts.ts';
import type { Sample } from './exposition.ts';
import type { LaneTotals, MetricsSeen, Totals } from './metrics.ts';
import { byInstance } from './prometheus.ts';
import { numberFrom, seriesIn, unreadable } from './prometheus-query.ts';

/** Totals of the lanes that are asked for; the other lane's are 0. `undefined`: there is nothing newer than `since` yet. @throws {HeadgateError} `METRICS_UNREACHABLE` */
export type ReadCounts = (lanes: readonly Lane[], at: Instant, signal: AbortSignal) => Promise<MetricsSeen | undefined>;

/** The value of one lane; `undefined`: it has none now. @throws {HeadgateError} `METRICS_UNREACHABLE` */
export type ReadValue = (lane: Lane, signal: AbortSignal) => Promise<number | undefined>;

/** A scrape that is older says nothing of now. Prometheus scrapes once a minute unless told. */
const ageMaxS = 90;
const answerMaxMs = 1_500;
const answerMaxBytes = 65_536;

/** `since`: what was counted up to then is nobody's, so a source that tells it late is not believed before it tells of later. */
export function openCounts(from: CountsFrom, since: Instant): ReadCounts {
  return from.kind === 'webhook' ? openHookCounts(from.url, since) : openPrometheusCounts(from, since);
}

export function openValue(from: ValueFrom): ReadValue {
  if (from.kind === 'prometheus') return (lane, signal) => numberFrom(from.url, forLane(from.value, lane), signal);
  return async (lane, signal) => {
    const url = forLane(from.url, lane);
    const { value } = await askHook(url, signal);
    return value === null || value === undefined ? undefined : numberIn(url, 'value', value);
  };
}

function openPrometheusCounts(
  { url, failures, total }: Extract<CountsFrom, { readonly kind: 'prometheus' }>,
  since: Instant,
): ReadCounts {
  const meant = new Map<Sample, { readonly lane: Lane; readonly what: 'requests' | 'failed' }>();
  const countsIn = (samples: readonly Sample[]) =>
    samples.flatMap((sample) => {
      const meaning = meant.get(sample);
      return meaning === undefined ? [] : [{ ...meaning, way: 'weighted' as const, sample }];
    });
  const tally = startTally(countsIn, randomUUID());
  const samplesOf = async (written: string, lane: Lane, atSec: number, signal: AbortSignal) => {
    const found = await seriesIn(url, { selector: forLane(written, lane), ageMaxS, atSec }, signal);
    const anonymous = found.find(({ sample }) => sample.labels['instance'] === undefined);
    if (anonymous !== undefined)
      throw unreadable(url, `a series of ${written} without the label instance: a sum falls when a process ends`);
    return {
      any: found.length > 0,
      fresh: found.filter(({ scrapedMs }) => scrapedMs > since).map(({ sample }) => sample),
    };
  };
  return async (lanes, at, signal) => {
    const read = await Promise.all(
      lanes.map(async (lane) => {
        const [failed, all] = await Promise.all(
          [failures, total].map((written) => samplesOf(written, lane, at / 1_000, signal)),
        );
        if (all?.any !== true) throw unreadable(url, `nothing of ${forLane(total, lane)} in the last ${ageMaxS} s`);
        return { lane, failed: failed?.fresh ?? [], requests: all.fresh };
      }),
    );
    if (read.some(({ requests }) => requests.length === 0)) return undefined;
    meant.clear();
    for (const { lane, failed, requests } of read) {
      for (const sample of failed) meant.set(sample, { lane, what: 'failed' });
      for (const sample of requests) meant.set(sample, { lane, what: 'requests' });
    }
    return tally.add(byInstance([...meant.keys()]));
  };
}

const noTotals: Totals = { requests: 0, failed: 0, refused: 0 };

function openHookCounts(url: string, since: Instant): ReadCounts {
  return async (lanes, _at, signal) => {
    const answers = await Promise.all(
      lanes.map(async (lane) => ({ lane, ...(await hookCounts(forLane(url, lane), signal)) })),
    );
    if (answers.some(({ asOfMs }) => asOfMs <= since)) return undefined;
    const totals = (lane: Lane): LaneTotals => ({
      weighted: answers.find((answer) => answer.lane === lane)?.totals ?? noTotals,
      pinned: noTotals,
    });
    const [blue, green] = bothLanes.map(totals);
    const epoch = answers.map((answer) => answer.epoch).join(' ');
    return { epoch, lanes: { blue, green } as MetricsSeen['lanes'] };
  };
}

async function hookCounts(url: string, signal: AbortSignal) {
  const { failures, total, epoch, asOf } = await askHook(url, signal);
  const totals: Totals = {
    requests: numberIn(url, 'total', total),
    failed: numberIn(url, 'failures', failures),
    refused: 0,
  };
  const asOfMs = asOf === undefined ? Number.POSITIVE_INFINITY : 1_000 * numberIn(url, 'asOf', asOf);
  return { totals, epoch: String(epoch ?? ''), asOfMs };
}

async function askHook(url: string, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  try {
    const within = withDeadline(signal, answerMaxMs);
    const answer = await fetch(url, { headers: { accept: 'application/json' }, signal: within });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    if (text.length > answerMaxBytes) throw new Error(`${text.length} characters`);
    const body: unknown = JSON.parse(text);
    if (body !== null && typeof body === 'object') return body as Readonly<Record<string, unknown>>;
    throw new Error(text);
  } catch (cause) {
    signal.throwIfAborted();
    throw badAnswer(url, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function numberIn(url: string, name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && (name === 'value' || value >= 0)) return value;
  throw badAnswer(url, `${name} is ${JSON.stringify(value)}`);
}

function badAnswer(url: string, found: string, cause?: unknown): HeadgateError {
  return new HeadgateError(
    'METRICS_UNREACHABLE',
    `Cannot read a metric as the webhook "${url}" must answer with JSON numbers, failures and total or value: current value is "${found}"`,
    { hint: `run \`curl ${url}\` from where Headgate runs`, cause },
  );
}
