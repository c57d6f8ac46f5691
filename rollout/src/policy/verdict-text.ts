import type { JudgeSettings } from '../judge/judge.ts';
import { staleReports } from '../judge/merge.ts';
import { isCounted, ownName } from '../judge/own.ts';
import type { LimitSpoke, RuleReport, Verdict } from '../judge/verdict.ts';

/** The judge's verdict as one sentence: of a rollback the rule that weighs most, with what it counted. */
export function verdictText(verdict: Verdict, settings: Pick<JudgeSettings, 'staleAfterSec' | 'own'>): string {
  const rule = verdict.rules.find(({ name }) => name === verdict.reason);
  if (verdict.kind === 'rollback' && rule !== undefined) return rollbackText(rule);
  switch (verdict.reason) {
    case 'good-enough':
      return 'the evidence says good enough';
    case 'bake':
      return 'good enough; the bake is not over';
    case 'no-traffic':
      return 'a lane had no request for a minute';
    case 'both-lanes-failing':
      return 'both lanes fail too much to compare them';
    case 'beyond-limit':
      return `beyond its limit: ${beyondText(verdict, settings)}`;
    case 'stale':
      return `not read of late: ${staleText(verdict, settings)}`;
    default:
      return verdict.kind === 'rollback' ? 'the evidence says worse than tolerated' : 'not enough evidence yet';
  }
}

function staleText({ rules, elapsed }: Verdict, settings: Pick<JudgeSettings, 'staleAfterSec'>): string {
  return staleReports(rules, settings)
    .map(({ name, at }) => `${name} for ${Math.round(elapsed - at)} s`)
    .join(', ');
}

function beyondText({ rules }: Verdict, { own }: Pick<JudgeSettings, 'own'>): string {
  return rules
    .flatMap(({ name, spoke, promotable }) =>
      spoke?.kind === 'limit' && !promotable && isCounted(name, own) ? [`${ownName(name)} ${limitText(spoke)}`] : [],
    )
    .join(', ');
}

/** A static limit and what it saw, never without saying that it is no test. */
export function limitText({ candidate, live, min, max }: LimitSpoke): string {
  const bounds = [...(min === null ? [] : [`at least ${min}`]), ...(max === null ? [] : [`at most ${max}`])];
  const shown = (value: number | null) => (value === null ? 'no value' : String(Number(value.toPrecision(6))));
  return `${shown(candidate)}, live ${shown(live)}; a static limit, ${bounds.join(' and ')}: it has no error rate`;
}

function rollbackText(rule: RuleReport): string {
  const { live, candidate } = rule.counts;
  const ratios = `${candidate.failures} of ${candidate.requests} against ${live.failures} of ${live.requests}`;
  const own = ownName(rule.name);
  if (rule.spoke?.kind === 'limit') return `the candidate is beyond the limit of ${own}: ${limitText(rule.spoke)}`;
  switch (rule.name) {
    case 'failed':
      return `the candidate fails more than tolerated: ${ratios} requests`;
    case 'refused':
      return `the candidate refuses more than tolerated: ${ratios} requests`;
    case 'probe-failed':
    case 'probe-refused':
      return `the candidate answers the synthetic requests worse than live: ${ratios}`;
    case 'latency':
      return `the candidate is slower than tolerated: ${slowText(rule)}`;
    case 'ackTime':
      return `the candidate's workers take longer than tolerated: ${slowText(rule)}`;
    case 'capacity':
      return `the candidate works off less than its share: ${candidate.failures} of ${candidate.requests} messages are left, of live's ${live.failures} of ${live.requests}`;
    case 'redelivered':
      return `the candidate's messages are delivered again more often than tolerated: ${ratios}`;
    case 'dropped':
      return `the candidate leaves more messages unanswered than tolerated: ${ratios}`;
    case 'share':
      return `the candidate answers fewer requests than its weight sends: ${candidate.requests} against ${live.requests}`;
    case 'guard':
      return "the candidate's oldest message waits for longer than the limit while live's does not";
    default:
      return `the candidate fails more than tolerated by ${own}: ${ratios}`;
  }
}

function slowText({ counts, spoke }: RuleReport): string {
  const { live, candidate } = counts;
  const part = ({ failures, requests }: typeof live) => `${failures} of ${requests}`;
  if (spoke?.kind !== 'quantile') return `${part(candidate)} against ${part(live)}`;
  const quantile = `p${+(spoke.level * 100).toFixed(1)}`;
  return `${part(candidate)} above ${formatMs(spoke.candidateMs)} against ${part(live)} above live's ${quantile}, ${formatMs(spoke.liveMs)}`;
}

function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
