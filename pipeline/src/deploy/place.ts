import { join } from 'node:path';
import type { Spec } from '@headgate/rollout';

/** Where a delivery takes place. Paths are absolute. */
export type Place = {
  readonly spec: Spec;
  /** The workspace that holds the services' sources. */
  readonly root: string;
  /** What may be kept between runs: base images, unpacked images. */
  readonly cache: string;
  /** `host:port/prefix` of the release registry. */
  readonly registry: string;
  /** Images that are live now, by service, pinned; `undefined` before the first release. */
  readonly live: Readonly<Record<string, string>> | undefined;
};

/** Folder of a service's image, relative to the root: an output of its build. */
export function layoutOf(service: string): string {
  return `out/images/${service}`;
}

export function repositoryOf({ registry }: Place, service: string): string {
  return `${registry}/${service}`;
}

/** Images that lanes unpack, too: nothing is unpacked twice. */
export function imageFolder({ cache }: Place): string {
  return join(cache, 'images');
}
