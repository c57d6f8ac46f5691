import { randomUUID } from 'node:crypto';
import { withDeadline } from '../deadline.ts';
import { HeadgateError } from '../errors.ts';
import { type CountsIn, lackIn, startTally } from './counts.ts';
import { samplesOf } from './exposition.ts';
import type { Metrics } from './metrics.ts';

/** A process that gives its counters as Prometheus text. */
export type Source = {
  readonly name: string;
  readonly counters: (signal: AbortSignal) => Promise<string>;
  /** That it may have requests to count, true by default. */
  readonly isReady?: boolean;
};

export type ScrapeTarget = {
  /** What is asked, in a person's words: "the replicas of the gateway". */
  readonly what: string;
  readonly sources: (signal: AbortSignal) => Promise<readonly Source[]>;
  readonly countsIn: CountsIn;
  /** Name of a sample without which a page is another process's; `undefined`: any page will do. */
  readonly always: string | undefined;
};

const sourceMaxMs = 1_000;

/**
 * Counts of processes that are asked directly. One that does not answer is left out until it does: what it counts meanwhile is not lost,
 * and a replica that has gone must not blind everybody. When none answers, nothing can be seen.
 * A reading without one that is ready is uneven, and so is the one with which it is back.
 */
export function openScrapedMetrics({ what, sources, countsIn, always }: ScrapeTarget): Metrics {
  const tally = startTally(countsIn, randomUUID());
  return {
    async observe(signal) {
      signal.throwIfAborted();
      const found = await sources(signal);
      const answers = await Promise.allSettled(found.map((source) => scraped(source, always, signal)));
      signal.throwIfAborted();
      const answered = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      if (answered.length === 0) throw unreachable(what, answers);
      const isSilent = found.some(({ isReady = true }, n) => isReady && answers[n]?.status === 'rejected');
      const seen = tally.add(answered);
      return isSilent ? { ...seen, uneven: true } : seen;
    },
  };
}

async function scraped({ name, counters }: Source, always: string | undefined, signal: AbortSignal) {
  const text = await counters(withDeadline(signal, sourceMaxMs));
  const samples = samplesOf(text).filter((sample) => sample !== undefined);
  if (samples.length === 0) throw new Error(`${name} gives no sample`);
  const lack = always === undefined ? undefined : lackIn(samples, always);
  if (lack !== undefined) throw new Error(`${name} is not what is to be counted: ${lack}`);
  return { name, samples };
}

function unreachable(what: string, answers: readonly PromiseSettledResult<unknown>[]): HeadgateError {
  const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  return new HeadgateError(
    'METRICS_UNREACHABLE',
    `Cannot count requests as one of ${what} must give its counters: current value is "${failures.length === 0 ? 'none was found' : String(failures[0])}"`,
    { hint: 'run `headgate doctor` to see what is missing', cause: failures[0] },
  );
}
