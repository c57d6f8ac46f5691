import { join } from 'node:path';
import { canonicalJson, type Digest, digest, HeadgateError } from '@headgate/rollout';
import { fromMachine } from '../image/base.ts';
import { openImageBuilder } from '../image/image.ts';
import { readRequests } from '../image/test/requests.ts';
import { testImage } from '../image/test/test-image.ts';
import { comparePerf, perfDefaults, requireNotSlower, verdictLines } from '../perf/gate.ts';
import { definePipeline, type Pipeline } from '../pipeline.ts';
import { made, record, text } from '../plan/schema.ts';
import { imageExists, pushImage } from '../registry/client.ts';
import { type Step, step } from '../step.ts';
import { imageFolder, layoutOf, type Place, repositoryOf } from './place.ts';

/** Releases the published images and answers once the release has ended. */
export interface Releaser {
  /** The release that the images make is live already, or why not. */
  observe(
    images: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ kind: 'live' } | { kind: 'absent'; diff: string }>;
  /** @throws {HeadgateError} `ROLLED_BACK`, `QUARANTINED`, `REFUSED`, `LOCK_HELD` */
  release(images: Readonly<Record<string, string>>, log: (line: string) => void, signal: AbortSignal): Promise<void>;
}

/** What a person may ask for, in order. A target brings everything before it; `deliver` is all that apply. */
export const targets = ['check', 'images', 'publish', 'staging', 'perf', 'production', 'deliver'] as const;
export type Target = (typeof targets)[number];

export type DeliveryOptions = {
  /** Lint and unit tests first. */
  readonly check: boolean;
  /** Releases into the environment `staging`, where there is one: production then comes after it and after the performance gate. */
  readonly staging?: Releaser | undefined;
};

const grace = { graceMs: 8_000 };

/**
 * From sources to a release: check -> image -> image test -> publish -> staging -> perf -> release. Nothing reaches the registry before the tests of
 * all images have passed, and what is released is what was tested, by digest.
 */
export function defineDelivery(place: Place, releaser: Releaser, { check, staging }: DeliveryOptions): Pipeline {
  const first = check ? [checkStep()] : [];
  const services = Object.keys(place.spec.services);
  const tests = services.map((service) => imageTest(place, service, imageBuild(place, service, first)));
  const publish = publishStep(place, tests);
  const staged =
    staging === undefined ? [] : [releaseStep('staging', { place, publish, releaser: staging, after: [] })];
  // A first release has nothing to be slower than.
  const compared = staging === undefined || place.live === undefined ? [] : [perfStep(place, publish, staged)];
  const release = releaseStep('release', { place, publish, releaser, after: [...staged, ...compared] });
  return definePipeline({
    name: `deliver-${place.spec.app}`,
    config: { registry: place.registry },
    code: [import.meta.url],
    steps: [
      ...first,
      ...tests.flatMap((test) => [...test.needs.filter(({ id }) => id !== 'check'), test]),
      publish,
      ...staged,
      ...compared,
      release,
    ],
  });
}

/** The target that a step belongs to. */
export function targetOf(step: string): Target {
  if (step === 'release') return 'production';
  if (step.startsWith('image')) return 'images';
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
      return ['publish'];
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
  throw new HeadgateError('USAGE', `Cannot run "${target}" as headgate.yaml must have an environment "staging"`, {
    hint: 'add `environments: { staging: {} }`, or run production',
  });
}

function checkStep() {
  return step('check', {
    kind: 'pure',
    inputs: {
      files: [
        'package.json',
        'package-lock.json',
        '*.json',
        '*.js',
        'headgate.yaml',
        '{pipeline,rollout,services}/**',
        '!**/dist/**',
        '!**/out/**',
      ],
    },
    run: async ({ $ }) => {
      await $`npm run --silent check`;
    },
  });
}

function imageBuild(place: Place, service: string, needs: readonly Step[]) {
  const source = place.spec.services[service]?.source ?? service;
  return step(`image:${service}`, {
    kind: 'pure',
    needs,
    inputs: {
      files: [`${source}/src/**`, `${source}/package.json`, '!**/*.{test,rig,contract}.ts'],
      values: { node: process.version },
    },
    outputs: { files: [`${layoutOf(service)}/**`], values: record({ digest: made(text, digest) }) },
    run: async ({ root, log, signal }) => {
      const builder = await openImageBuilder('oci', { base: fromMachine({ cacheFolder: join(place.cache, 'base') }) });
      const built = await builder.build(
        { workspace: root, source, labels: {}, layout: join(root, layoutOf(service)) },
        signal,
      );
      log(`${built.digest}, ${(built.sizeBytes / 1e6).toFixed(1)} MB`);
      return { digest: built.digest };
    },
  });
}

/** Only what passed its test is ever published, so an image that the registry has was tested. */
function imageTest(place: Place, service: string, image: ReturnType<typeof imageBuild>) {
  const given = (out: Readonly<Record<string, { readonly digest: Digest }>>) => out[image.id] ?? { digest: digest('') };
  return step(`imagetest:${service}`, {
    kind: 'effect',
    needs: [image],
    outputs: { values: record({ digest: made(text, digest) }) },
    observe: async ({ out, signal }) => {
      const values = given(out);
      const known = await imageExists({ repository: repositoryOf(place, service), digest: values.digest }, signal);
      return known ? { kind: 'done', values } : { kind: 'absent', diff: `test ${values.digest}` };
    },
    run: async ({ out, root, workDir, log, signal }) => {
      const { spec, live } = place;
      const requests = await requestsOf(place, root);
      const layout = join(root, layoutOf(service));
      const report = await testImage(
        {
          app: spec.app,
          services: spec.services,
          service,
          layout,
          imageFolder: imageFolder(place),
          workFolder: join(workDir, 'ground'),
          requests,
          live,
          ...grace,
        },
        signal,
      );
      for (const { outcome, name, detail, ms } of report.checks)
        log(`${outcome.padEnd(7)} ${name}: ${detail} (${ms} ms)`);
      if (report.ok) return given(out);
      const bad = report.checks.filter(({ outcome }) => outcome === 'failed');
      throw new HeadgateError(
        'STEP_FAILED',
        `Cannot publish ${service} as its image fails: ${bad.map(({ name, detail }) => `${name} (${detail})`).join('; ')}`,
        {
          hint: `run \`headgate run images\` again after a change; the whole log is out/logs/imagetest.${service}.log`,
        },
      );
    },
  });
}

type ImageTest = ReturnType<typeof imageTest>;

function publishStep(place: Place, tests: readonly ImageTest[]) {
  const images = (out: Readonly<Record<string, { readonly digest: Digest }>>) =>
    Object.keys(place.spec.services).map((service) => ({
      service,
      repository: repositoryOf(place, service),
      digest: out[`imagetest:${service}`]?.digest ?? digest(''),
    }));
  const pinned = (out: Parameters<typeof images>[0]) =>
    Object.fromEntries(images(out).map(({ service, repository, digest: of }) => [service, `${repository}@${of}`]));
  return step('publish', {
    kind: 'effect',
    needs: tests,
    outputs: {
      values: { parse: (value): Readonly<Record<string, string>> => value as Readonly<Record<string, string>> },
    },
    observe: async ({ out, signal }) => {
      const there = await Promise.all(images(out).map((image) => imageExists(image, signal)));
      return there.every(Boolean)
        ? { kind: 'done', values: pinned(out) }
        : { kind: 'absent', diff: `push ${there.filter((known) => !known).length} images to ${place.registry}` };
    },
    run: async ({ out, root, log, signal }) => {
      for (const { service, repository } of images(out)) {
        const pushed = await pushImage(join(root, layoutOf(service)), { repository, mountFrom: undefined }, signal);
        log(`${pushed.repository}@${pushed.digest}`);
      }
      return pinned(out);
    },
  });
}

type Publish = ReturnType<typeof publishStep>;

/** Its result is a function of both versions: a version that was compared with this very live one is not compared again. */
function perfStep(place: Place, publish: Publish, after: readonly Step[]) {
  const { spec, live = {} } = place;
  return step('perf', {
    kind: 'pure',
    needs: [publish, ...after],
    inputs: { values: { live, services: spec.services, ...perfDefaults } },
    timeoutMs: 2 * perfDefaults.rounds * perfDefaults.roundMs * 2 + 300_000,
    run: async ({ out, root, workDir, log, signal }) => {
      const images = (out as { publish: Readonly<Record<string, string>> }).publish; // The first of its needs.
      if (canonicalJson(images) === canonicalJson(live)) return log('these images are live already');
      const { app, services } = spec;
      const requests = await requestsOf(place, root);
      const asked = {
        app,
        services,
        before: live,
        after: images,
        imageFolder: imageFolder(place),
        workFolder: workDir,
        requests,
        say: log,
      };
      const verdict = await comparePerf({ ...asked, ...perfDefaults }, signal);
      for (const line of verdictLines(verdict)) log(line);
      requireNotSlower(verdict);
    },
  });
}

async function requestsOf({ spec }: Place, root: string) {
  return (await Promise.all(Object.values(spec.services).map(({ source }) => readRequests(join(root, source))))).flat();
}

function releaseStep(
  id: 'staging' | 'release',
  { place, publish, releaser, after }: { place: Place; publish: Publish; releaser: Releaser; after: readonly Step[] },
) {
  const imagesOf = (out: unknown) => (out as { publish: Readonly<Record<string, string>> }).publish; // The first of its needs.
  return step(id, {
    kind: 'effect',
    needs: [publish, ...after],
    timeoutMs: place.spec.release.deadlineMs + place.spec.release.watchMs + 600_000,
    observe: async ({ out, signal }) => {
      const seen = await releaser.observe(imagesOf(out), signal);
      return seen.kind === 'live' ? { kind: 'done', values: undefined } : seen;
    },
    run: ({ out, log, signal }) => releaser.release(imagesOf(out), log, signal),
  });
}
