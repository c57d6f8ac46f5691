import { upperBound } from '../judge/clopper-pearson.ts';
import type { Verdict } from '../judge/verdict.ts';
import { duration, odds } from './words.ts';

/** One comparison of the live lane with itself, as long as a release's would have been. */
export type Trial = {
  /** `rollback` is a false alarm, as both halves are one version. `open`: it was cut short, and says nothing. */
  readonly end: 'rollback' | 'promote' | 'undecided' | 'open';
  readonly seconds: number;
  readonly verdict: Verdict;
  readonly text: string;
};

export type FalseAlarms = {
  readonly trials: number;
  readonly alarms: number;
  /** Between these the true rate lies with 90 % confidence: below each end with 5 %. */
  readonly low: number;
  readonly high: number;
};

const confidence = 0.95;

export function falseAlarms(trials: readonly Trial[]): FalseAlarms {
  const ended = trials.filter(({ end }) => end !== 'open').length;
  const alarms = trials.filter(({ end }) => end === 'rollback').length;
  return {
    trials: ended,
    alarms,
    low: 1 - upperBound({ requests: ended, failures: ended - alarms }, confidence),
    high: upperBound({ requests: ended, failures: alarms }, confidence),
  };
}

export function trialText({ end, seconds, verdict, text }: Trial): string {
  const words = { rollback: 'FALSE ALARM', promote: 'good enough', undecided: 'undecided', open: 'cut short' }[end];
  const good = verdict.logPromote === null ? '' : `, good enough ${odds(verdict.logPromote)}`;
  const why = end === 'rollback' ? `: ${text}` : '';
  return `${words} after ${duration(1_000 * seconds)}: worse than tolerated ${odds(verdict.logRollback)}${good}${why}`;
}

export function observedText(trials: readonly Trial[], alpha: number): readonly string[] {
  const rate = falseAlarms(trials);
  const { low, high } = rate;
  const seen = rate.trials === 0 ? 'no trial has ended' : `${rate.alarms} false alarms in ${rate.trials} trials`;
  return [
    `${seen}: a rate of ${percent(low)} to ${percent(high)}, beside alpha = ${percent(alpha)}`,
    low > alpha
      ? 'more than alpha allows: the processes differ among themselves, or their failures cluster more than the judge allows for'
      : high <= alpha
        ? 'within alpha'
        : `too few trials to tell: ${trialsToTell(alpha)} without a false alarm would show that it is within alpha`,
  ];
}

/** So many trials without an alarm leave no more than `alpha`. */
function trialsToTell(alpha: number): number {
  return Math.ceil(Math.log(1 - confidence) / Math.log(1 - alpha));
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
