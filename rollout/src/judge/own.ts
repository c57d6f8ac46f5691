import type { Tolerance } from '../spec.ts';
import type { LimitName, OwnRule, RuleName } from './verdict.ts';

/** A metric of the user's own: counts of failures, judged like requests that fail, or a value with a static limit. */
export type OwnMetric = {
  /** Shown, not counted: it neither rolls back nor is waited for. */
  readonly dryRun: boolean;
} & (
  | { readonly kind: 'failures'; readonly tolerate: Tolerance }
  | { readonly kind: 'limit'; readonly min: number | null; readonly max: number | null; readonly looks: number }
);

/** By the name in headgate.yaml. */
export type OwnMetrics = Readonly<Record<string, OwnMetric>>;

/** The name in headgate.yaml; `undefined`: a rule of Headgate's. */
export function ownName(rule: RuleName): string | undefined {
  return isOwn(rule) ? rule.slice(rule.indexOf(':') + 1) : undefined;
}

export function isOwn(rule: RuleName): rule is OwnRule {
  return rule.startsWith('metric:') || isLimit(rule);
}

export function isLimit(rule: RuleName): rule is LimitName {
  return rule.startsWith('limit:');
}

/** False for a metric on its dry run. */
export function isCounted(rule: RuleName, own: OwnMetrics): boolean {
  return own[ownName(rule) ?? '']?.dryRun !== true;
}
