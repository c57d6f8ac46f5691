import { lineAt } from '../judge/block.ts';
import { outlook } from '../judge/failures.ts';
import { read as readLatency } from '../judge/latency.ts';
import { ruleWeights } from '../judge/merge.ts';
import { neededToPromote, neededToRollBack } from '../judge/needed.ts';
import { probeWeight } from '../judge/rules.ts';
import type { Instant } from '../lane.ts';
import type { EvidenceState } from './evidence.ts';
import { badRatio, type Forecast } from './forecast-text.ts';
import type { Phase } from './phase.ts';
import type { Plan, Release } from './release.ts';

/** `undefined` without users' requests, and where nothing is compared by them. */
export function forecastOf(state: EvidenceState, plan: Plan, phase: Phase): Forecast | undefined {
  const forecast = failuresForecast(state, plan, phase);
  const step = stepOf(phase) ?? 0;
  const weight = (plan.steps[step] ?? 0) / 100;
  if (forecast === undefined || weight === 0) return forecast;
  const needed = latencyNeeds(state.judge, weight);
  const ms = Math.max(forecast.ms, (1_000 * needed) / (forecast.perSec * weight));
  return { ...forecast, requests: Math.max(forecast.requests, needed), ms };
}

/** Candidate's requests until no latency that promotion waits for is in doubt; 0 where none is compared. */
function latencyNeeds({ rules, settings, thin }: EvidenceState['judge'], weight: number): number {
  if (!settings.latencyPromotes || thin) return 0;
  return Math.max(
    0,
    ...rules.map((rule) => (rule.kind === 'latency' ? (readLatency({ ...rule.state, weight }).needCandidate ?? 0) : 0)),
  );
}

function failuresForecast(state: EvidenceState, plan: Plan, phase: Phase): Forecast | undefined {
  const step = stepOf(phase);
  const perSec = state.judge.thin ? 2 * (plan.synthetic?.perSec ?? 0) : usersPerSec(state);
  const [first = 0] = plan.steps;
  if (step === undefined || first === 0 || perSec === 0) return undefined;
  const weightAt = (k: number) => (state.judge.thin ? probeWeight : (plan.steps[k] ?? first) / 100);
  let [requests, ms] = [0, 0];
  for (let k = step; k < plan.steps.length; k++) {
    const needed = neededAt(state, plan, { k, step, weight: weightAt(k) });
    requests += needed;
    const bakedMs = k === step ? 1_000 * state.verdict.atWeightSec : 0;
    ms += Math.max(plan.bakeMs / plan.steps.length - bakedMs, (1_000 * needed) / (perSec * weightAt(k)));
  }
  const by = state.judge.thin ? 'synthetic' : 'users';
  return { requests: Math.ceil(requests), ms, perSec, by, back: backAt(state, weightAt(step), perSec) };
}

function stepOf(phase: Phase): number | undefined {
  if (phase.kind === 'closing' || phase.kind === 'starting' || phase.kind === 'interrupted') return 0;
  return phase.kind === 'settling' || phase.kind === 'holding' ? phase.step : undefined;
}

/** Evidence carries over from step to step, so each asks for what the one before has not brought. */
function neededAt(
  { judge, verdict }: EvidenceState,
  { steps }: Plan,
  { k, step, weight }: { readonly k: number; readonly step: number; readonly weight: number },
): number {
  const all = Math.log(1 / judge.settings.beta);
  const now = Math.max(0, verdict.logPromote ?? 0);
  const before = k === step ? now : Math.max(now, (all * k) / steps.length);
  const nats = Math.max(0, (all * (k + 1)) / steps.length - before);
  return Math.max(
    0,
    ...pairs(judge).map(({ a: p, kappa, lines }) =>
      neededToPromote(nats * kappa, { p, weight, line: lines.unacceptable }),
    ),
  );
}

function backAt({ judge }: EvidenceState, weight: number, perSec: number): Forecast['back'] {
  const [failed] = pairs(judge);
  if (failed === undefined || lineAt(failed.lines.tolerated, failed.a) >= badRatio) return undefined;
  const part = ruleWeights(judge.rules.map(({ name }) => name))[failed.at] ?? 1;
  const nats = Math.log(1 / (judge.settings.alpha * part)) * failed.kappa;
  const requests = neededToRollBack(nats, { pL: failed.a, pC: badRatio, weight, line: failed.lines.tolerated });
  return { requests: Math.ceil(requests), ms: (1_000 * requests) / (perSec * weight) };
}

/** Failed and refused requests: of users, for whom live's rates are known before the candidate has any, or synthetic ones. */
function pairs({ rules, thin }: EvidenceState['judge']) {
  const names: readonly string[] = thin ? ['probe-failed', 'probe-refused'] : ['failed', 'refused'];
  return rules.flatMap((rule, at) =>
    rule.kind === 'pair' && names.includes(rule.name)
      ? [{ ...outlook(rule.state), at, lines: rule.state.settings }]
      : [],
  );
}

function usersPerSec({ history }: EvidenceState): number {
  const seconds = history.reduce((sum, past) => sum + past.seconds, 0);
  return seconds === 0 ? 0 : history.reduce((sum, past) => sum + past.users, 0) / seconds;
}

const rateKnownSec = 30;

/** Users will not have sent enough by the deadline, so that synthetic requests shall decide; asked only where a request is named. */
export function isTooThin(state: EvidenceState, { plan, startedAt, state: { phase } }: Release, now: Instant): boolean {
  if (state.judge.settings.compare !== 'both' || phase.kind !== 'holding') return false;
  if (state.history.reduce((sum, { seconds }) => sum + seconds, 0) < rateKnownSec) return false;
  const forecast = failuresForecast(state, plan, phase); // Latencies are not what synthetic requests are compared by.
  return forecast === undefined || forecast.ms > startedAt + plan.deadlineMs - now;
}
