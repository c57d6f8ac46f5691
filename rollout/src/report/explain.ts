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

/**
 * Every rule in a line of its own: both odds with what they must reach, what is still needed, and which threshold spoke.
 * A watch says nothing of the comparison that led to it, so both are told.
 */
export function explain({ compared, watch, settings }: Story): readonly string[] {
  return [
    ...verdictLines(compared, settings),
    ...(watch === undefined ? [] : ["then, against live's last ten minutes:", ...verdictLines(watch, settings)]),
  ];
}

function verdictLines(verdict: Verdict, settings: Story['settings']): readonly string[] {
  const { rules } = verdict;
  const weights = ruleWeights(rules.map(({ name }) => name));
  const wanted = (part: number) => Math.round(1 / (settings.alpha * part));
  const head = [
    `${stateName(verdict)}: worse than tolerated ${odds(verdict.logRollback)} (rolls back at ${wanted(1)}:1)`,
    verdict.logPromote === null
      ? ''
      : `, good enough ${odds(verdict.logPromote)} (promotes at ${odds(Math.log(1 / settings.beta))})`,
    needs(verdict, 'candidate requests to go'),
  ].join('');
  return [head, ...rules.map((rule, k) => ruleLine(rule, wanted(weights[k] ?? 0)))];
}

function ruleLine(rule: RuleReport, alone: number): string {
  const { name, hard, logRollback, logPromote, spoke } = rule;
  const limit = spoke?.kind === 'age' ? `, ${Math.round(spoke.limitMs / 1_000)} s` : '';
  if (name === 'guard') return `  ${words.guard.padEnd(34)} ${hard ? 'over' : 'within'} its limit${limit}`;
  const worse = `worse ${odds(logRollback)} (alone it rolls back at ${alone}:1)`;
  const good = logPromote === null ? '' : `, good enough ${odds(logPromote)}${needs(rule, 'to go')}`;
  return `  ${words[name].padEnd(34)} ${worse}${good}; ${seen(rule)}`;
}

/** Candidate requests that the promotion side still wants, an estimate. */
function needs({ logPromote, needCandidate }: Pick<Verdict, 'logPromote' | 'needCandidate'>, words: string): string {
  if (logPromote === null || needCandidate === 0) return '';
  return `, ${needCandidate === null ? 'unknown how many' : `about ${needCandidate}`} ${words}`;
}

function seen({ counts: { live, candidate }, spoke }: RuleReport): string {
  const part = ({ failures, requests }: typeof live) => `${failures} of ${requests}`;
  const ratio = ({ failures, requests }: typeof live) =>
    `${part({ failures, requests })} (${failedRatio(failures, requests)})`;
  switch (spoke?.kind) {
    case 'share':
      return `${candidate.requests} requests of ${live.requests + candidate.requests}, at least ${percent(spoke.least)} are expected`;
    case 'quantile':
      return candidate.requests === 0
        ? 'nothing was compared yet'
        : `p${+(spoke.level * 100).toFixed(1)} says most: ${part(candidate)} above ${ms(spoke.candidateMs)}, live ${part(live)} above its ${ms(spoke.liveMs)}`;
    case 'ratio': {
      const bad = spoke.unacceptable === null ? '' : `, unacceptable from ${percent(spoke.unacceptable)}`;
      return `${ratio(candidate)}, live ${ratio(live)}; tolerated to ${percent(spoke.tolerated)}${bad}`;
    }
    default:
      return `${ratio(candidate)}, live ${ratio(live)}`;
  }
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}

function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
