import type { Plan } from './release.ts';

/** What a release still needs, if it is as good as live and traffic stays as it was in the last ten minutes. An estimate, decides nothing. */
export type Forecast = {
  /** Candidate's requests until the promotion, and how long these and the bake take. */
  readonly requests: number;
  readonly ms: number;
  /** Requests per second to both lanes together: users', or synthetic ones where these decide. */
  readonly perSec: number;
  readonly by: 'users' | 'synthetic';
  /** The same until a version that fails a tenth of its requests goes back; `undefined` where live fails so much itself. */
  readonly back: { readonly requests: number; readonly ms: number } | undefined;
};

/** What the forecast of a rollback is told for. */
export const badRatio = 0.1;

/** One sentence, after which nobody needs to be surprised at the deadline. `leftMs`: until then. */
export function forecastText({ requests, ms, perSec, by, back }: Forecast, leftMs: number, plan: Plan): string {
  const good = `as good as live it is promoted after about ${requests} ${by === 'users' ? 'of its requests' : 'synthetic requests'}, ${minutes(ms)} at ${+perSec.toPrecision(2)}/s`;
  const bad =
    back === undefined ? '' : `; failing ${100 * badRatio} % it goes back after ${back.requests}, ${minutes(back.ms)}`;
  const then = plan.atDeadline === 'hold' ? 'holds' : 'goes back';
  const late = ms <= leftMs ? '' : `; the deadline is sooner, in ${minutes(leftMs)}, and then it ${then}`;
  return `${good}${bad}${late}`;
}

function minutes(ms: number): string {
  return ms < 60_000 ? 'less than a minute' : `${Math.round(ms / 60_000)} min`;
}
