import { join } from 'node:path';
import { canonicalJson, type Digest, digest, HeadgateError, isHeadgateError } from '@headgate/rollout';
import { repositoryFiles } from '../host/git.ts';
import { fromMachine } from '../image/base.ts';
import { fromRegistry } from '../image/from-registry.ts';
import { type BuilderOptions, openImageBuilder } from '../image/image.ts';
import { requireImage } from '../image/layout.ts';
import { readRequests } from '../image/test/requests.ts';
import { testImage } from '../image/test/test-image.ts';
import { made, record, text } from '../plan/schema.ts';
import { imageExists, nameImage, parsePinned, pushImage } from '../registry/client.ts';
import { parseRepository } from '../registry/http.ts';
import { sha256 } from '../run/workspace.ts';
import { type Asked, type Question, type Step, step } from '../step.ts';
import { notesIn } from './check-notes.ts';
import { type Marks, openMarks } from './marks.ts';
import { hashOf, modulesIn } from './modules.ts';
import { baseFolder, imageFolder, layoutOf, type Place, repositoryOf } from './place.ts';

/** Whose code these steps run is part of their keys: this module, and all that make images of bundles. */
export const imageStepsCode = [import.meta.url, ...modulesIn(new URL('../image/', import.meta.url))];

/** Of the image test, and of the performance gate, which starts images in the same way. */
export const imageTestCode = modulesIn(new URL('../image/test/', import.meta.url));

const grace = { graceMs: 8_000 };

/** Its command may read whatever lies in the repository, so a change of anything there is a change of its result. */
export function checkStep() {
  return step('check', {
    kind: 'pure',
    inputs: {
      // Without git nobody says what is made and what was written.
      asked: async ({ root, signal, find }) => ({
        files: (await repositoryFiles(root, signal)) ?? (await find(['**', '!**/{dist,out}/**'])),
      }),
      tools: ['node'],
    },
    run: async ({ $, annotate }) => {
      try {
        await $`npm run --silent check`;
      } catch (error) {
        // Of a command that ended: whoever looks at the change sees what is wrong where it is.
        if (error instanceof Error && 'stdall' in error)
          for (const note of notesIn(String(error.stdall))) annotate(note);
        throw error;
      }
    },
  });
}

export function imageBuild(place: Place, service: string, needs: readonly Step[]) {
  const source = place.spec.services[service]?.source ?? service;
  return step(`image:${service}`, {
    kind: 'pure',
    needs,
    inputs: {
      // No list of names: the bundler says what it reads.
      asked: (question) => bundled(source, question),
      values: { node: process.version, builder: place.builder, 'base image': place.baseKey },
    },
    outputs: { files: [`${layoutOf(service)}/**`], values: record({ digest: made(text, digest) }) },
    run: async ({ root, log, signal }) => {
      const builder = await openImageBuilder(place.builder, basesOf(place));
      const built = await builder.build(
        { workspace: root, source, labels: {}, layout: join(root, layoutOf(service)) },
        signal,
      );
      log(`${built.digest}, ${(built.sizeBytes / 1e6).toFixed(1)} MB`);
      return { digest: built.digest };
    },
  });
}

/** What does not compile has a key too, under which nothing is kept: the step itself says what is wrong. */
async function bundled(source: string, { root, find }: Question): Promise<Asked> {
  const { bundleFacts } = await import('../image/bundle.ts'); // Lazy, as esbuild is.
  try {
    const { files, sha256: bundle } = await bundleFacts({ workspace: root, source });
    return { files, made: { bundle } };
  } catch (error) {
    if (!isHeadgateError(error)) throw error;
    return { files: await find([`${source}/**`]), made: { bundle: sha256(error.message) } };
  }
}

function basesOf(place: Place): BuilderOptions {
  const { baseImage: reference } = place.spec;
  const cacheFolder = baseFolder(place);
  return reference === undefined ? { base: fromMachine({ cacheFolder }) } : fromRegistry({ cacheFolder, reference });
}

/**
 * Tested is what is marked so, or live. That a registry has an image says neither: others may write there, and what was published
 * beside an older live version has not met this one.
 */
export function imageTest(place: Place, service: string, image: ReturnType<typeof imageBuild>) {
  const given = (out: Readonly<Record<string, { readonly digest: Digest }>>) => out[image.id] ?? { digest: digest('') };
  return step(`imagetest:${service}`, {
    kind: 'effect',
    needs: [image],
    outputs: { values: record({ digest: made(text, digest) }) },
    observe: async ({ out, root, signal }) => {
      const values = given(out);
      // What is live has not met the tables of a migration that comes now.
      const isLive = place.live?.[service]?.endsWith(`@${values.digest}`) === true;
      const known =
        (isLive && place.spec.release.migrate === undefined) ||
        (await marksOf(place).has(await markOf(place, values.digest, root), signal));
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
          migrate: spec.release.migrate,
          service,
          foreignBase: spec.baseImage !== undefined,
          layout,
          imageFolder: imageFolder(place),
          workFolder: join(workDir, 'ground'),
          requests,
          live,
          adopt: spec.queue?.adopt,
          ...grace,
        },
        signal,
      );
      for (const { outcome, name, detail, ms } of report.checks)
        log(`${outcome.padEnd(7)} ${name}: ${detail} (${ms} ms)`);
      if (report.ok) {
        await marksOf(place).add(await markOf(place, given(out).digest, root), signal);
        return given(out);
      }
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

/** Says that an image has passed this very test, asked these requests and crossed with what is live. */
async function markOf(place: Place, of: Digest, root: string): Promise<string> {
  const { spec, live = null } = place;
  const asked = { requests: await requestsOf(place, root), code: await hashOf(imageTestCode) };
  const beside = {
    of,
    live,
    adopt: spec.queue?.adopt ?? null,
    services: spec.services,
    migrate: spec.release.migrate ?? null,
    ...asked,
    node: process.version,
  };
  return sha256(canonicalJson(beside));
}

function marksOf({ marks, cache }: Place): Marks {
  return marks ?? openMarks(cache, undefined);
}

/** The repository of a base image in the registry that is published to; from another one its layers are copied. */
function mountable({ spec, registry }: Place): string | undefined {
  if (spec.baseImage === undefined || registry === undefined) return undefined;
  const { repository } = parsePinned(spec.baseImage);
  return parseRepository(repository).origin === parseRepository(`${registry}/any`).origin ? repository : undefined;
}

/** Nothing is found by it; but many registries clear away what has no name, and with it the way back. */
export function publishedTag(of: Digest): string {
  return `published-${of.slice('sha256:'.length).slice(0, 16)}`;
}

type ImageTest = ReturnType<typeof imageTest>;

export function publishStep(place: Place, tests: readonly ImageTest[]) {
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
    // It looks before each attempt, and what was sent is not sent again.
    retry: { times: 3, on: (error) => isHeadgateError(error) && error.code === 'REGISTRY_UNREACHABLE' },
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
      // What all images have in common lies there already, or is sent once.
      let mountFrom = mountable(place);
      for (const { service, repository, digest: tested } of images(out)) {
        const layout = join(root, layoutOf(service));
        await requireImage(layout, tested);
        const pushed = await pushImage(layout, { repository, mountFrom }, signal);
        await nameImage(pushed, { repository, tag: publishedTag(tested) }, signal);
        mountFrom ??= repository;
        log(`${pushed.repository}@${pushed.digest}`);
      }
      return pinned(out);
    },
  });
}

export type Publish = ReturnType<typeof publishStep>;

/** Of all services together. */
export async function requestsOf({ spec }: Place, root: string) {
  return (await Promise.all(Object.values(spec.services).map(({ source }) => readRequests(join(root, source))))).flat();
}
