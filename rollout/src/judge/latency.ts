import { blockGainMax, rollbackWeights, type WorseArms, worseGains } from './arms.ts';
import { type Block, logBet } from './block.ts';
import { credited } from './credit.ts';
import { type Dispersion, disperse, noDispersion } from './dispersion.ts';
import { addTo, type Histogram, tailsOf, total } from './histogram.ts';
import {
  candidateEdge,
  diagonal,
  emptyBlock,
  exceedances,
  fewer,
  type LatencyState,
  levels,
  type OpenBlock,
  type Outlook,
  outlook,
  pastMin,
} from './latency-state.ts';
import { markOf, verdictOn } from './latency-verdict.ts';
import { release, settle } from './ledger.ts';
import { keepPace } from './pace.ts';
import type { PairCounts, RuleVerdict } from './verdict.ts';

/** Pods pause now and then, all their requests with them: hence a lower cap per event than for failures. */
const arms: WorseArms = { oddsOver: [1.25, 1.6, 2.5, 6], nearlyAll: 0.9, gainNats: 1.5 };

const blockRequestsMin = 4;
const halfLifeSec = 300;

/** Adds live's latencies from before the start, oldest first, in stretches of about 10 s; 10 minutes of them are enough. */
export function prime(state: LatencyState, live: Histogram, seconds: number): LatencyState {
  const dispersions =
    total(state.past) < pastMin ? state.dispersions : dispersed(state, outlook(state), { live, seconds });
  return { ...state, dispersions, past: addTo(state.past, live) };
}

/** Adds the latencies of one good scrape, `seconds` after the one before it. A failed scrape is no input. */
export function step(
  state: LatencyState,
  live: Histogram,
  candidate: Histogram,
  seconds: number,
): [LatencyState, RuleVerdict] {
  const open: OpenBlock = {
    live: addTo(state.open.live, live),
    candidate: addTo(state.open.candidate, candidate),
    seconds: state.open.seconds + seconds,
  };
  const counted: LatencyState = { ...state, open, elapsed: state.elapsed + seconds };
  const isSmall = total(open.live) < blockRequestsMin || total(open.candidate) < blockRequestsMin;
  return isSmall ? [counted, read(counted)] : closeBlock(counted);
}

/** Closes the open block before the weight changes, then stakes a tranche at each level. */
export function onWeightChange(state: LatencyState, weight: number): [LatencyState, RuleVerdict] {
  const [closed, verdict] = closeBlock(state);
  return [{ ...closed, weight, rollback: closed.rollback.map((ledger) => release(ledger, rollbackWeights)) }, verdict];
}

/** What the rule says without a new input. */
export function read(state: LatencyState): RuleVerdict {
  return verdictOn(state, false);
}

function closeBlock(state: LatencyState): [LatencyState, RuleVerdict] {
  const { open } = state;
  if (open.seconds === 0) return [state, read(state)];
  const stakes = outlook(state);
  const scored = total(open.live) > 0 && total(open.candidate) > 0 ? score(state, stakes) : state;
  const next: LatencyState = {
    ...scored,
    dispersions: dispersed(state, stakes, { live: open.live, seconds: open.seconds }),
    past: addTo(state.past, open.live, 2 ** (-open.seconds / halfLifeSec)),
    open: emptyBlock,
  };
  const paced = { ...next, pace: keepPace(next.pace, markOf(next)) };
  return [paced, verdictOn(paced, true)];
}

function score(state: LatencyState, stakes: Outlook): LatencyState {
  const { open, settings } = state;
  const gainMax = blockGainMax(arms, open.seconds);
  const beyond = exceedances(open);
  const blocks = stakes.map(({ edge }, k) => beyond(edge, candidateEdge(settings, k, edge)));
  const at = (k: number) => ({ block: blocks[k] ?? noBlock, stake: stakes[k] ?? { edge: 1, a: 0.99, kappa: 1 } });
  return {
    ...state,
    rollback: state.rollback.map((ledger, k) => {
      const { block, stake } = at(k);
      const gains = worseGains(arms, block, { ...stake, line: diagonal }).map((gain) => Math.min(gainMax, gain));
      return settle(ledger, gains, rollbackWeights);
    }),
    promotion: state.promotion.map((wealth, k) => {
      const { block, stake } = at(levels.length + k);
      return credited(wealth, betterGains(block, stake), settings.beta);
    }),
    counts: state.counts.map((counts, k) => counted(counts, at(k).block)),
  };
}

const noBlock: Block = { nL: 0, fL: 0, nC: 0, fC: 0 };

/** Nats won by each promotion arm, tempered. */
function betterGains(block: Block, { a, kappa }: { readonly a: number; readonly kappa: number }): number[] {
  return fewer.map((part) => logBet(block, { a, q: part * a, line: diagonal }) / kappa);
}

/** Thresholds from before the stretch, so that what lies above them is counted on what was known. */
function dispersed(
  state: LatencyState,
  stakes: Outlook,
  { live, seconds }: Pick<OpenBlock, 'live' | 'seconds'>,
): readonly Dispersion[] {
  const tails = tailsOf(live);
  return stakes.map(({ edge }, k) =>
    disperse(state.dispersions[k] ?? noDispersion, { requests: tails[0] ?? 0, failures: tails[edge] ?? 0 }, seconds),
  );
}

function counted({ live, candidate }: PairCounts, { nL, fL, nC, fC }: Block): PairCounts {
  return {
    live: { requests: live.requests + nL, failures: live.failures + fL },
    candidate: { requests: candidate.requests + nC, failures: candidate.failures + fC },
  };
}
