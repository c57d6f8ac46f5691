/** The door of the package: from a change to a revision. */
export { defineDelivery, stepsOf, targets } from './deploy/delivery.ts';
export type { Releaser } from './deploy/release-steps.ts';
export { openGithubGuard, openPlainGuard } from './host/guard.ts';
export { type Change, type CiHost, hostKindOf, openHost } from './host/host.ts';
export { definePipeline, type Pipeline, type PipelineSpec } from './pipeline.ts';
export { amount, listOf, made, nothing, record, type Schema, text } from './plan/schema.ts';
export { type PlannedStep, plan } from './plan.ts';
export { liveReporter, plainReporter } from './report/console.ts';
export { filesReporter } from './report/files.ts';
export { jsonReporter } from './report/json.ts';
export type { Reporter } from './report/report.ts';
export { type RunOptions, type RunResult, run } from './run.ts';
export {
  type EffectContext,
  type EffectLookContext,
  type Inputs,
  type LookContext,
  type Observed,
  type Out,
  type Step,
  step,
  type Unfinished,
  type ValuesOf,
} from './step.ts';
