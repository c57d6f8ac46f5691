import { above, edgeMs, thresholds, total } from './histogram.ts';
import {
  candidateEdge,
  diagonal,
  type LatencyState,
  levels,
  logWealths,
  noCounts,
  outlook,
  pastMin,
} from './latency-state.ts';
import { logSumExp } from './ledger.ts';
import { natsPerRequest, promotionOverhead } from './needed.ts';
import { recentGrowth } from './pace.ts';
import { type RuleVerdict, type Spoke, verdictKind } from './verdict.ts';

/** What the latency rule says of a state. `closed`: the input closed a block. */
export function verdictOn(state: LatencyState, closed: boolean): RuleVerdict {
  const { settings, elapsed } = state;
  const { worse, good } = logWealths(state);
  const logRollback = logSumExp(worse) - Math.log(levels.length);
  const logPromote = Math.min(...good);
  const loudest = worse.indexOf(Math.max(...worse));
  const counts = state.counts[loudest] ?? noCounts;
  const needCandidate = needed(state);
  const spoke = spokeAt(state, loudest);
  return {
    kind: verdictKind(settings, { logRollback, logPromote, mayPromote: closed && elapsed >= settings.bakeSec }),
    logRollback,
    logPromote,
    needCandidate,
    elapsed,
    closed,
    promotable: true,
    hard: false,
    counts,
    spoke,
  };
}

function spokeAt(state: LatencyState, k: number): Spoke {
  const { settings, past } = state;
  const level = levels[k] ?? 0.5;
  const [threshold] = thresholds(past, [level]);
  const liveMs = edgeMs(threshold?.edge ?? 1);
  const candidateMs = edgeMs(candidateEdge(settings, k, threshold?.edge ?? 1));
  return { kind: 'quantile', level, liveMs, candidateMs };
}

/** By recent growth where there was some, else as if the candidate were as fast as live. */
function needed(state: LatencyState): number | null {
  const { settings, weight, past } = state;
  const mark = markOf(state);
  if (Math.log(1 / settings.beta) <= mark[1]) return 0;
  const growth = recentGrowth(state.pace, mark);
  if (growth !== undefined && growth > 0) return Math.ceil((Math.log(1 / settings.beta) - mark[1]) / growth);
  if (weight <= 0 || weight >= 1 || total(past) < pastMin) return null;
  const stakes = outlook(state).slice(levels.length);
  const needs = logWealths(state).good.map((good, k) => {
    const { edge, a, kappa } = stakes[k] ?? { edge: 1, a: 0.99, kappa: 1 };
    const pC = Math.min(a, above(past, candidateEdge(settings, levels.length, edge)) / total(past));
    const nats = natsPerRequest({ pL: a, pC, weight, line: diagonal }) / kappa;
    return (promotionOverhead * Math.max(0, Math.log(1 / settings.beta) - good)) / nats;
  });
  const most = Math.ceil(Math.max(...needs));
  return Number.isFinite(most) ? most : null;
}

/** Where the rule stands, for its pace: seconds, the poorer promotion's log wealth, candidate requests. */
export function markOf(state: LatencyState): [number, number, number] {
  return [state.elapsed, Math.min(...logWealths(state).good), state.counts[0]?.candidate.requests ?? 0];
}
