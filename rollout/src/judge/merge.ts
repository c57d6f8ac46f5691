import { logSumExp } from './ledger.ts';
import { isLimit, isOwn } from './own.ts';
import type { BuiltInRule, RuleName, RuleReport, Verdict, VerdictKind, VerdictReason } from './verdict.ts';

export type MergeSettings = {
  readonly alpha: number;
  readonly beta: number;
  readonly bakeSec: number;
  /** A rule that was fed so much longer ago than the others is out of date. */
  readonly staleAfterSec: number;
};

export type Merged = Omit<Verdict, 'atWeightSec'>;

/**
 * One verdict from all rules. Rollback by the weighted mean of wealths, which is an e-process whatever the dependence
 * (Vovk, Wang, "E-values: calibration, combination and applications", 2021), so that one alpha covers the release.
 * Promotion by every rule with a promotion side (intersection-union, no correction). A hard rule decides alone. Single
 * verdicts' `kind` is ignored: one rule at ln(1/alpha) is only its weight's part of that here.
 */
export function merge(reports: readonly RuleReport[], weights: readonly number[], settings: MergeSettings): Merged {
  const { kind, reason } = decide(reports, weights, settings);
  const promoting = promotionSide(reports);
  const needs = promoting.map(({ needCandidate }) => needCandidate);
  return {
    kind,
    reason,
    logRollback: logSumExp(shares(reports, weights)),
    logPromote: promoting.length === 0 ? null : Math.min(...promoting.map(({ logPromote }) => logPromote)),
    needCandidate: needs.length === 0 || needs.includes(null) ? null : Math.max(...needs.map(Number)),
    elapsed: Math.max(...reports.map(({ elapsed }) => elapsed)),
    rules: reports,
  };
}

const classWeights = { failures: 0.4, latency: 0.3, queue: 0.2, share: 0.1 };
const classes: Readonly<Record<BuiltInRule, keyof typeof classWeights | undefined>> = {
  failed: 'failures',
  refused: 'failures',
  'probe-failed': 'failures',
  'probe-refused': 'failures',
  latency: 'latency',
  ackTime: 'latency',
  capacity: 'queue',
  redelivered: 'queue',
  dropped: 'queue',
  share: 'share',
  guard: undefined, // Bets nothing.
};

/** Own failure metrics share the failures' part; a static limit bets nothing. */
function classOf(name: RuleName): keyof typeof classWeights | undefined {
  if (isLimit(name)) return undefined;
  return isOwn(name) ? 'failures' : classes[name];
}

/** Weights of the rules at work: a class splits its own evenly, and together they are rescaled to 1. */
export function ruleWeights(names: readonly RuleName[]): readonly number[] {
  const raw = names.map((name) => {
    const own = classOf(name);
    return own === undefined ? 0 : classWeights[own] / names.filter((other) => classOf(other) === own).length;
  });
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight) => weight / total);
}

type Decision = { readonly kind: VerdictKind; readonly reason: VerdictReason };

function decide(reports: readonly RuleReport[], weights: readonly number[], settings: MergeSettings): Decision {
  const hard = reports.find((report) => report.hard);
  if (hard !== undefined) return { kind: 'rollback', reason: hard.name };
  const parts = shares(reports, weights);
  if (logSumExp(parts) >= Math.log(1 / settings.alpha)) {
    return { kind: 'rollback', reason: reports[parts.indexOf(Math.max(...parts))]?.name ?? 'evidence' };
  }
  const blocker = promotionBlocker(reports, settings);
  return blocker === undefined ? { kind: 'promote', reason: 'good-enough' } : { kind: 'hold', reason: blocker };
}

function promotionBlocker(reports: readonly RuleReport[], settings: MergeSettings): VerdictReason | undefined {
  const promoting = promotionSide(reports);
  if (staleReports(reports, settings).length > 0) return 'stale';
  if (promoting.some(({ promotable }) => !promotable)) return 'both-lanes-failing';
  if (reports.some(({ spoke, promotable }) => spoke?.kind === 'limit' && !promotable)) return 'beyond-limit';
  const enough = Math.log(1 / settings.beta);
  if (promoting.length === 0 || promoting.some(({ logPromote }) => logPromote < enough)) return 'evidence';
  if (promoting.some(({ elapsed }) => elapsed < settings.bakeSec)) return 'bake';
  return promoting.some(({ closed }) => closed) ? undefined : 'evidence'; // Old evidence alone never promotes.
}

/** Rules that are fed no more, the one that has waited longest first. What a queue cannot be asked is the policy's to name. */
export function staleReports(
  reports: readonly RuleReport[],
  { staleAfterSec }: Pick<MergeSettings, 'staleAfterSec'>,
): readonly RuleReport[] {
  const now = Math.max(...reports.map(({ at }) => at));
  const stale = reports.filter(({ name, at }) => name !== 'guard' && now - at > staleAfterSec);
  return stale.toSorted((a, b) => a.at - b.at);
}

function promotionSide(reports: readonly RuleReport[]): (RuleReport & { readonly logPromote: number })[] {
  return reports.filter((report): report is RuleReport & { readonly logPromote: number } => report.logPromote !== null);
}

/** Log of each rule's part in the weighted mean. */
function shares(reports: readonly RuleReport[], weights: readonly number[]): number[] {
  return reports.map(({ logRollback }, i) => Math.log(weights[i] ?? 0) + logRollback);
}
