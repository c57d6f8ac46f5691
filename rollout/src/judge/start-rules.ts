import { start as startCapacity } from './capacity.ts';
import { start as startPair } from './failures.ts';
import { start as startGuard } from './guard.ts';
import type { JudgeSettings } from './judge.ts';
import { start as startLatency } from './latency-state.ts';
import { start as startLimit } from './limit.ts';
import { start as startOneLane } from './one-lane.ts';
import { ownName } from './own.ts';
import { latencyPresets, presets } from './presets.ts';
import { type LatencyName, type OneLaneName, type PairName, probeWeight, type Rule } from './rules.ts';
import type { Slow } from './sample.ts';
import { start as startShare } from './share.ts';
import type { LaneCounts } from './verdict.ts';

/** What a lane is judged against when nothing is left to compare with: live's past, and how its failures clustered. */
type OneLanePast = { readonly history: LaneCounts; readonly kappa: number };

export type OneLanePasts = { readonly [name in OneLaneName]?: OneLanePast };

/** All rules of a comparison, before they have seen anything. */
export function comparisonRules(settings: JudgeSettings): readonly Rule[] {
  const traffic = settings.compare !== 'probes';
  const probes = settings.compare !== 'traffic';
  return [
    ...(traffic ? [pairRule('failed', settings, 0), pairRule('refused', settings, 0)] : []),
    ...(probes
      ? [pairRule('probe-failed', settings, probeWeight), pairRule('probe-refused', settings, probeWeight)]
      : []),
    ...(traffic ? settings.slow.flatMap((slow) => slowRules(slow, settings)) : []),
    ...(traffic ? ownRules(settings) : []),
    ...(traffic ? [shareRule(settings)] : []),
    ...guardRules(settings),
  ];
}

/** All rules of a watch, and of an A/B test. An own metric without a past is judged all the same, and says nothing. */
export function watchRules(settings: JudgeSettings, pasts: OneLanePasts): readonly Rule[] {
  const rules = (Object.entries(pasts) as [OneLaneName, OneLanePast][]).map(([name, { history, kappa }]): Rule => {
    const { alpha } = settings;
    const { tolerated } = linesFor(name, settings);
    return { kind: 'one-lane', name, at: 0, state: startOneLane({ alpha, tolerated, kappa }, history) };
  });
  return [...rules, ...limitRules(settings), ...guardRules(settings)];
}

function pairRule(name: PairName, settings: JudgeSettings, weight: number): Rule {
  const { alpha, beta, bakeSec } = settings;
  return { kind: 'pair', name, at: 0, state: startPair({ alpha, beta, bakeSec, ...linesFor(name, settings) }, weight) };
}

function slowRules(slow: Slow, settings: JudgeSettings): Rule[] {
  if (slow !== 'flow') return [latencyRule(slow, settings)];
  const { alpha, beta, bakeSec } = settings;
  const state = startCapacity({ alpha, beta, bakeSec }, 0);
  const capacity: Rule = { kind: 'capacity', name: 'capacity', at: 0, state };
  return [capacity, pairRule('redelivered', settings, 0), pairRule('dropped', settings, 0)];
}

function latencyRule(name: LatencyName, settings: JudgeSettings): Rule {
  const { alpha, beta, bakeSec, tolerateLatency, latencySlackMs: slackMs } = settings;
  const state = startLatency({ alpha, beta, bakeSec, slackMs, ...latencyPresets[tolerateLatency] }, 0);
  return { kind: 'latency', name, at: 0, state };
}

function ownRules(settings: JudgeSettings): readonly Rule[] {
  const failures = Object.entries(settings.own).filter(([, { kind }]) => kind === 'failures');
  return [...failures.map(([name]) => pairRule(`metric:${name}`, settings, 0)), ...limitRules(settings)];
}

function limitRules({ own }: JudgeSettings): readonly Rule[] {
  return Object.entries(own).flatMap(([name, metric]): Rule[] =>
    metric.kind === 'limit' ? [{ kind: 'limit', name: `limit:${name}`, at: 0, state: startLimit(metric) }] : [],
  );
}

/** A 4xx is a client's mistake more often than the release's: refused requests always get the widest tolerance. */
export function linesFor(name: PairName, { tolerate, own }: JudgeSettings) {
  const metric = own[ownName(name) ?? ''];
  if (metric?.kind === 'failures') return presets[metric.tolerate];
  return presets[name === 'refused' || name === 'probe-refused' ? 'relaxed' : tolerate];
}

function shareRule({ alpha }: JudgeSettings): Rule {
  return { kind: 'share', name: 'share', at: 0, state: startShare({ alpha, weight: 0 }) };
}

function guardRules({ guardMs }: JudgeSettings): Rule[] {
  return guardMs === undefined ? [] : [{ kind: 'guard', name: 'guard', at: 0, state: startGuard(guardMs) }];
}
