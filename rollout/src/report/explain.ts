import { ruleWeights } from '../judge/merge.ts';
import type { RuleName, RuleReport, Verdict, VerdictReason } from '../judge/verdict.ts';
import type { Story } from './story.ts';
import { failedRatio, odds } from './words.ts';

/** A state's name, for people and for whoever searches a log. */
export type StateName =
  | 'PROMOTE'
  | 'ROLLBACK'
  | 'HEALTHY_PROGRESS'
  | 'HOLD_EVIDENCE'
  | 'HOLD_NO_TRAFFIC'
  | 'HOLD_NO_METRICS'
  | 'HOLD_BOTH_LANES_FAILING';

const holds: Readonly<Partial<Record<VerdictReason, StateName>>> = {
  'no-traffic': 'HOLD_NO_TRAFFIC',
  stale: 'HOLD_NO_METRICS',
  'both-lanes-failing': 'HOLD_BOTH_LANES_FAILING',
  bake: 'HEALTHY_PROGRESS',
};

export function stateName({ kind, reason, logPromote }: Verdict): StateName {
  if (kind !== 'hold') return kind === 'promote' ? 'PROMOTE' : 'ROLLBACK';
  return holds[reason] ?? ((logPromote ?? 0) > 0 ? 'HEALTHY_PROGRESS' : 'HOLD_EVIDENCE');
}

const words: Readonly<Record<RuleName, string>> = {
  failed: 'requests failed',
  refused: 'requests refused (4xx)',
  'probe-failed': 'probes failed',
  'probe-refused': 'probes refused',
  latency: 'answers slower',
  ackTime: 'messages slower to the ack',
  capacity: 'messages left undone',
  redelivered: 'messages delivered again',
  dropped: 'messages never answered',
  share: 'requests missing',
  guard: 'oldest message (a limit, no test)',
};

/** Every rule in a line of its own: both odds with what they must reach, what is still needed, and which quantile spoke. */
export function explain({ compared, settings }: Story): readonly string[] {
  const { rules } = compared;
  const weights = ruleWeights(rules.map(({ name }) => name));
  const wanted = (rollback: number) => odds(Math.log(1 / (settings.alpha * rollback))).replace(':1', '');
  const head = [
    `${stateName(compared)}: worse than tolerated ${odds(compared.logRollback)} (rolls back at ${wanted(1)}:1)`,
    compared.logPromote === null
      ? ''
      : `, good enough ${odds(compared.logPromote)} (promotes at ${odds(Math.log(1 / settings.beta))})`,
    compared.needCandidate === null || compared.needCandidate === 0
      ? ''
      : `, about ${compared.needCandidate} candidate requests to go`,
  ].join('');
  return [head, ...rules.map((rule, k) => ruleLine(rule, wanted(weights[k] ?? 0)))];
}

function ruleLine(rule: RuleReport, alone: string): string {
  const { name, hard, logRollback, logPromote, needCandidate } = rule;
  if (name === 'guard') return `  ${words.guard.padEnd(34)} ${hard ? 'over its limit' : 'within its limit'}`;
  const worse = `worse ${odds(logRollback)} (alone it rolls back at ${alone}:1)`;
  const good = logPromote === null ? '' : `, good enough ${odds(logPromote)}`;
  const need = needCandidate === null || needCandidate === 0 ? '' : `, needs about ${needCandidate}`;
  return `  ${words[name].padEnd(34)} ${worse}${good}${need}; ${seen(rule)}`;
}

function seen({ name, counts: { live, candidate }, spoke }: RuleReport): string {
  const part = ({ failures, requests }: typeof live) => `${failures} of ${requests}`;
  if (name === 'share') return `${candidate.requests} requests of ${live.requests + candidate.requests}`;
  if (spoke !== null) {
    if (candidate.requests === 0) return 'nothing was compared yet';
    const quantile = `p${+(spoke.level * 100).toFixed(1)}`;
    return `${quantile} says most: ${part(candidate)} above ${ms(spoke.candidateMs)}, live ${part(live)} above its ${ms(spoke.liveMs)}`;
  }
  const ratio = failedRatio(candidate.failures, candidate.requests);
  return `${part(candidate)} (${ratio}), live ${part(live)} (${failedRatio(live.failures, live.requests)})`;
}

function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
