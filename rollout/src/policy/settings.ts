/** What a release is judged by. */
import { limitMsFor } from '../judge/guard.ts';
import { defaultJudge, type JudgeSettings } from '../judge/judge.ts';
import type { OwnMetric, OwnMetrics } from '../judge/own.ts';
import type { LatencyPart, MetricSpec, ReleaseSpec } from '../spec.ts';
import type { Plan } from './release.ts';

/** What a lane's stream and its proxies are set to: the guard must fire before messages age out. */
const queueTimes = { maxAgeMs: 120_000, timeoutMs: 5_000 };

/** `slow`: what live can tell beside the counts. Only users' traffic at both lanes is compared by it. */
export function settingsFor(
  plan: Plan,
  spec: Pick<ReleaseSpec, 'tolerate' | 'latency' | 'metrics'>,
  slow: JudgeSettings['slow'],
): JudgeSettings {
  return {
    ...defaultJudge,
    bakeSec: plan.bakeMs / 1_000,
    tolerate: spec.tolerate,
    guardMs: plan.queue ? limitMsFor(queueTimes) : undefined,
    compare: plan.strategy === 'canary' && plan.synthetic !== undefined ? 'both' : comparedBy[plan.strategy],
    ...latencySettings(plan.strategy === 'canary' ? slow : [], spec.latency),
    own: plan.strategy === 'first' ? {} : ownMetrics(spec.metrics),
  };
}

const comparedBy: Readonly<Record<Plan['strategy'], JudgeSettings['compare']>> = {
  canary: 'traffic',
  'blue-green': 'probes',
  ab: 'history',
  first: 'traffic',
  restore: 'traffic',
};

/** What the judge needs to know of the user's own metrics: where they are read is not its business. */
function ownMetrics(metrics: ReleaseSpec['metrics']): OwnMetrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, ownMetric(metric)]));
}

function ownMetric(metric: MetricSpec): OwnMetric {
  const { dryRun } = metric;
  if (metric.kind === 'failures') return { kind: 'failures', tolerate: metric.tolerate, dryRun };
  const { min = null, max = null, looks } = metric;
  return { kind: 'limit', min, max, looks, dryRun };
}

/** For one lane compared with itself, in two halves: what a release of this app would be judged by, as far as halves tell it. */
export function observerSettings(
  spec: Pick<ReleaseSpec, 'bakeMs' | 'tolerate' | 'latency'>,
  slow: JudgeSettings['slow'],
): JudgeSettings {
  const { bakeMs, tolerate, latency } = spec;
  return { ...defaultJudge, bakeSec: bakeMs / 1_000, tolerate, ...latencySettings(slow, latency) };
}

function latencySettings(
  slow: JudgeSettings['slow'],
  part: LatencyPart,
): Pick<JudgeSettings, 'slow' | 'latencyPromotes'> {
  return {
    slow: slow.filter((source) => source === 'flow' || part !== 'off'),
    latencyPromotes: part === 'promote',
  };
}

/** What a replay may set otherwise than the record; absent: as it was. */
export type OtherSettings = Partial<Pick<JudgeSettings, 'alpha' | 'beta' | 'bakeSec' | 'tolerate'>> & {
  readonly latency?: LatencyPart;
};

export function withOthers(settings: JudgeSettings, { latency, ...others }: OtherSettings): JudgeSettings {
  return { ...settings, ...others, ...(latency === undefined ? {} : latencySettings(settings.slow, latency)) };
}
