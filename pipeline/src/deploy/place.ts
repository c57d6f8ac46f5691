import { join } from 'node:path';
import { HeadgateError, type Spec } from '@headgate/rollout';
import { machineKey } from '../image/base.ts';
import type { Variables } from '../perf/gate.ts';
import type { Marks } from './marks.ts';

/** Where a delivery takes place. Paths are absolute. */
export type Place = {
  readonly spec: Spec;
  /** The workspace that holds the services' sources. */
  readonly root: string;
  /** What may be kept between runs: base images, unpacked images. */
  readonly cache: string;
  /** What builds images: `oci`, `buildah` or `docker`. */
  readonly builder: string;
  /** Of all that lies under each service's own layer. */
  readonly baseKey: string;
  /** `host:port/prefix` of the release registry; `undefined` while the local platform, which has it, does not run. */
  readonly registry: string | undefined;
  /** What was tested; by default what this machine remembers. */
  readonly marks?: Marks | undefined;
  /** Images that are live now, by service, pinned; `undefined` before the first release. */
  readonly live: Readonly<Record<string, string>> | undefined;
  /** `env` of each service that is live; not given: what headgate.yaml has now. */
  readonly liveEnv?: Variables | undefined;
  /** `usual`: the performance gate takes none before others on this machine. */
  readonly priority?: 'usual' | undefined;
};

/**
 * The place of an app, as its headgate.yaml and this machine have it.
 * @throws {HeadgateError} `USAGE` for a base image that the builder does not take
 */
export async function openPlace(
  { builder = 'oci', ...given }: Omit<Place, 'builder' | 'baseKey'> & { readonly builder?: string },
  signal: AbortSignal,
): Promise<Place> {
  const baseKey = await baseKeyOf(given.spec, { builder, cacheFolder: baseFolder(given) }, signal);
  return { ...given, builder, baseKey };
}

/** A base image that is named is all that its digest says, for this kind of machine. */
async function baseKeyOf(
  { baseImage }: Spec,
  { builder, cacheFolder }: { builder: string; cacheFolder: string },
  signal: AbortSignal,
): Promise<string> {
  if (baseImage === undefined) return await machineKey({ cacheFolder }, signal);
  if (builder === 'oci') return `${baseImage} ${process.arch}`;
  throw new HeadgateError(
    'USAGE',
    `Cannot build on "${baseImage}" as only the builder of Headgate itself takes the layers of a base image as they are: current value is "${builder}"`,
    { hint: 'unset HEADGATE_BUILDER, or leave `image.base` out of headgate.yaml' },
  );
}

/** Of headgate.yaml; `undefined`: that of the file itself. */
type Destination = Pick<Place, 'registry'> & { readonly environment: string | undefined };

/** What makes a delivery the one that it is, beside its commit: wherever it is begun, it is one run. */
export function identityOf(app: string, { registry, environment }: Destination) {
  return { name: `deliver-${app}`, config: { registry: registry ?? null, environment: environment ?? null } };
}

/** Folder of a service's image, relative to the root: an output of its build. */
export function layoutOf(service: string): string {
  return `out/images/${service}`;
}

/** @throws {HeadgateError} `SUPERVISOR_UNREACHABLE` for a plan beside a platform that does not run: a run starts it */
export function repositoryOf({ registry }: Place, service: string): string {
  if (registry === undefined) {
    throw new HeadgateError(
      'SUPERVISOR_UNREACHABLE',
      `Cannot look for the image of ${service} as the local platform, which has the registry, must run`,
      { hint: 'start it with `headgate cluster up`, or run without --plan' },
    );
  }
  return `${registry}/${service}`;
}

/** Images that lanes unpack, too: nothing is unpacked twice. */
export function imageFolder({ cache }: Place): string {
  return join(cache, 'images');
}

/** Base images, by content. */
export function baseFolder({ cache }: Pick<Place, 'cache'>): string {
  return join(cache, 'base');
}
