import type { JudgeSettings } from '../judge/judge.ts';
import { ruleWeights } from '../judge/merge.ts';
import { isCounted, isLimit, isOwn, ownName } from '../judge/own.ts';
import type { BuiltInRule, LimitSpoke, RuleName, RuleReport, Verdict, VerdictReason } from '../judge/verdict.ts';
import { limitText } from '../policy/verdict-text.ts';
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
  | 'HOLD_BOTH_LANES_FAILING'
  | 'HOLD_BEYOND_LIMIT';

const holds: Readonly<Partial<Record<VerdictReason, StateName>>> = {
  'no-traffic': 'HOLD_NO_TRAFFIC',
  stale: 'HOLD_NO_METRICS',
  'both-lanes-failing': 'HOLD_BOTH_LANES_FAILING',
  'beyond-limit': 'HOLD_BEYOND_LIMIT',
  bake: 'HEALTHY_PROGRESS',
};

export function stateName({ kind, reason, logPromote }: Verdict): StateName {
  if (kind !== 'hold') return kind === 'promote' ? 'PROMOTE' : 'ROLLBACK';
  return holds[reason] ?? ((logPromote ?? 0) > 0 ? 'HEALTHY_PROGRESS' : 'HOLD_EVIDENCE');
}

const words: Readonly<Record<BuiltInRule, string>> = {
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

function verdictLines(verdict: Verdict, settings: JudgeSettings): readonly string[] {
  const head = [
    `${stateName(verdict)}: worse than tolerated ${odds(verdict.logRollback)} (rolls back at ${Math.round(1 / settings.alpha)}:1)`,
    verdict.logPromote === null
      ? ''
      : `, good enough ${odds(verdict.logPromote)} (promotes at ${odds(Math.log(1 / settings.beta))})`,
    needs(verdict, 'candidate requests to go'),
  ].join('');
  return [head, ...ruleLines(verdict, settings).map(({ line }) => `  ${line}`)];
}

/** The user's own metrics, each in a line as in `explain()`. */
export function ownLines(verdict: Verdict, settings: JudgeSettings): readonly string[] {
  return ruleLines(verdict, settings)
    .filter(({ name }) => isOwn(name))
    .map(({ line }) => line);
}

type RuleLine = { readonly name: RuleName; readonly words: string; readonly line: string };

/** Each rule of a verdict: what it looks at, in words, and a line with these and what it says. */
export function ruleLines({ rules }: Verdict, { alpha, own }: JudgeSettings): readonly RuleLine[] {
  const counted = rules.filter(({ name }) => isCounted(name, own));
  const weights = ruleWeights(counted.map(({ name }) => name));
  return rules.map((rule) => {
    const weight = weights[counted.indexOf(rule)];
    const part =
      weight === undefined ? 'dry run, not counted' : `alone it rolls back at ${Math.round(1 / (alpha * weight))}:1`;
    const name = wordsFor(rule.name);
    return { name: rule.name, words: name, line: `${name.padEnd(34)} ${said(rule, part)}` };
  });
}

function wordsFor(name: RuleName): string {
  return isOwn(name) ? `${isLimit(name) ? 'limit' : 'metric'} ${ownName(name)}` : words[name];
}

function said(rule: RuleReport, part: string): string {
  const { hard, logRollback, logPromote, spoke } = rule;
  if (spoke?.kind === 'age') return `${hard ? 'over' : 'within'} its limit, ${Math.round(spoke.limitMs / 1_000)} s`;
  if (spoke?.kind === 'limit') return limitLine(rule, spoke, part);
  const worse = `worse ${odds(logRollback)} (${part})`;
  const good = logPromote === null ? '' : `, good enough ${odds(logPromote)}${needs(rule, 'to go')}`;
  return `${worse}${good}; ${seen(rule)}`;
}

function limitLine({ promotable }: RuleReport, limit: LimitSpoke, part: string): string {
  const beyond = promotable
    ? 'within it'
    : `beyond it, alone in the last ${limit.beyond} readings (${limit.looks} roll back)`;
  return `${beyond}: ${limitText(limit)}${part.startsWith('dry') ? ` (${part})` : ''}`;
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
