/**
 * The door of the package: from a change to a revision. A pipeline is made of steps of your own (`step()`) and of Headgate's:
 * `checkStep`, `imageBuild`, `imageTest`, `publishStep`, `signStep`, `perfStep`, `approveStep`, `releaseStep`. Whatever else a delivery does is part of one
 * of these: the list of contents (SBOM) of `signStep`; of `releaseStep`, by the releaser that it is given, the check of signatures, the hand-over to
 * a rollout with its gates of health and lag, and the rolling update by Ansible. Who hears of an end is no step but a reporter.
 */
export { approveStep } from './deploy/approve-step.ts';
export { defineDelivery, deliverySteps, stepsOf, targets } from './deploy/delivery.ts';
export { checkStep, imageBuild, imageTest, publishStep } from './deploy/image-steps.ts';
export { openPlace, type Place } from './deploy/place.ts';
export { openReleaser, type Releasing } from './deploy/release.ts';
export { type Listener, perfStep, type Released, type Releaser, releaseStep } from './deploy/release-steps.ts';
export { signStep } from './deploy/sign-step.ts';
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
