import { HeadgateError } from '@headgate/rollout';
import { definePipeline, type Pipeline } from '../pipeline.ts';
import { type Asking, approveStep } from './approve-step.ts';
import { checkStep, imageBuild, imageStepsCode, imageTest, publishStep } from './image-steps.ts';
import { identityOf, type Place } from './place.ts';
import { perfStep, type Releaser, releaseStep, releaseStepsCode } from './release-steps.ts';
import { signStep } from './sign-step.ts';

/** Modules whose code Headgate's own steps run: beside your own in the `code` of a pipeline that has some of them, or their results outlive a new Headgate. */
export const deliverySteps: readonly string[] = [...imageStepsCode, ...releaseStepsCode];

/** What a person may ask for, in order. A target brings everything before it; `deliver` is all that apply. */
export const targets = ['check', 'images', 'publish', 'staging', 'perf', 'production', 'deliver'] as const;
export type Target = (typeof targets)[number];

export type DeliveryOptions = {
  /** That is delivered to: each has runs of its own. `undefined`: that of headgate.yaml itself. */
  readonly environment?: string | undefined;
  /** Lint and unit tests first. */
  readonly check: boolean;
  /** Releases into the environment `staging`, where there is one: production then comes after it and after the performance gate. */
  readonly staging?: Releaser | undefined;
  /** Images by service that the performance gate takes for the old version, instead of what is live. It is played without a staging too. */
  readonly against?: Place['live'];
  /** Published images are signed; `secret` names the key, in PEM. */
  readonly sign?: { readonly secret: string } | undefined;
  /** Asks the app's approvers, where it has some, before the release. */
  readonly asking?: Asking | undefined;
};

/**
 * From sources to a release: check -> image -> image test -> publish -> staging -> perf -> approve -> release. Nothing reaches the registry before the tests of
 * all images have passed, and what is released is what was tested, by digest.
 */
export function defineDelivery(
  place: Place,
  releaser: Releaser,
  { environment, check, staging, against, sign, asking }: DeliveryOptions,
): Pipeline {
  const first = check ? [checkStep()] : [];
  const services = Object.keys(place.spec.services);
  const tests = services.map((service) => imageTest(place, service, imageBuild(place, service, first)));
  const publish = publishStep(place, tests);
  const signed = sign === undefined ? [] : [signStep(place, publish, sign)];
  const staged = staging === undefined ? [] : [releaseStep('staging', { publish, releaser: staging, after: signed })];
  // A first release has nothing to be slower than.
  const old = against ?? (staging && place.live);
  const compared = old === undefined ? [] : [perfStep({ ...place, live: old }, publish, staged)];
  const before = [...signed, ...staged, ...compared];
  const asked =
    asking === undefined || place.spec.approvers.length === 0
      ? []
      : [approveStep(place, { publish, after: before, releaser, asking })];
  const release = releaseStep('release', { publish, releaser, after: [...before, ...asked] });
  return definePipeline({
    ...identityOf(place.spec.app, { registry: place.registry, environment }),
    code: [import.meta.url, ...deliverySteps],
    steps: [
      ...first,
      ...tests.flatMap((test) => [...test.needs.filter(({ id }) => id !== 'check'), test]),
      publish,
      ...before,
      ...asked,
      release,
    ],
  });
}

/** The target that a step belongs to. */
export function targetOf(step: string): Target {
  if (step === 'release' || step === 'approve') return 'production';
  if (step.startsWith('image')) return 'images';
  if (step === 'sign') return 'publish';
  return targets.find((target) => target === step) ?? 'deliver';
}

/** The ids that a target stands for. @throws {HeadgateError} `USAGE` for one that the app has not */
export function stepsOf(target: Target, pipeline: Pipeline): readonly string[] {
  const ids = pipeline.steps.map(({ id }) => id);
  switch (target) {
    case 'check':
      return ids.filter((id) => id === 'check');
    case 'images':
      return ids.filter((id) => id.startsWith('imagetest:'));
    case 'publish':
      return ids.filter((id) => id === 'publish' || id === 'sign');
    case 'staging':
      return ids.includes('staging') ? ['staging'] : refuseStaging(target);
    case 'perf':
      // Without a live version there is no such step, and all before it is what can be done.
      return ids.includes('perf') ? ['perf'] : stepsOf('staging', pipeline);
    case 'production':
    case 'deliver':
      return ['release'];
  }
}

function refuseStaging(target: Target): never {
  throw new HeadgateError('USAGE', `Cannot run "${target}" as nothing comes before the environment "staging" itself`, {
    hint: 'run production, which is where --environment leads',
  });
}
