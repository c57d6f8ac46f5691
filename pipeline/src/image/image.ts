/** Builds images. Nothing here knows a registry: what a build leaves is an OCI image layout on disk. */
import type { Digest } from '@headgate/rollout';
import { HeadgateError } from '@headgate/rollout';
import type { Layer } from './layer.ts';
import type { PlatformLayers } from './layout.ts';

export type BuildRequest = {
  /** Absolute folder of the workspaces; bundled paths are told relative to it, so that two clones give equal bytes. */
  readonly workspace: string;
  /** The service's folder relative to `workspace`, e.g. `services/proxy`. */
  readonly source: string;
  /** What is started, relative to `source` (default `src/main.ts`). */
  readonly program?: string;
  /** Labels of the image's config. Each one is part of the digest: a commit here makes a new image of every commit. */
  readonly labels: Readonly<Record<string, string>>;
  /** Folder that becomes the layout. It is replaced whole, and only when the build has succeeded. */
  readonly layout: string;
};

export type BuiltImage = {
  /** Of the image's manifest. */
  readonly digest: Digest;
  readonly layout: string;
  /** What a registry would store: layers, config and manifest. */
  readonly sizeBytes: number;
  /** Lowest first. */
  readonly layers: readonly Pick<Layer, 'digest' | 'sizeBytes'>[];
};

/** Turns a service's sources into an image. Equal requests give equal digests, whatever the folder, time or umask. */
export interface ImageBuilder {
  /** @throws {HeadgateError} `STEP_FAILED` if the sources do not build */
  build(request: BuildRequest, signal: AbortSignal): Promise<BuiltImage>;
}

/** The layers under every service: made by `fromMachine`, or any other source of layers that lie on this disk. */
export type BaseImage = (signal: AbortSignal) => Promise<readonly Layer[]>;

/** Bases for other platforms than this machine's. Nothing of a service depends on the platform, so one is built for each. */
export type OtherBases = (signal: AbortSignal) => Promise<readonly PlatformLayers[]>;

export type BuilderOptions = { readonly base: BaseImage; readonly others?: OtherBases };

type BuilderModule = { readonly openImageBuilder: (options: BuilderOptions) => ImageBuilder };

/** Lazy, so that each loads what it needs alone. */
const modules = {
  oci: () => import('./oci.ts'),
  buildah: () => import('./buildah.ts'),
  docker: () => import('./docker.ts'),
  memory: () => import('./memory.ts'),
} satisfies Record<string, () => Promise<BuilderModule>>;

export type BuilderKind = keyof typeof modules;

/** `kind` is what the user wrote. @throws {HeadgateError} `UNKNOWN_KIND` */
export async function openImageBuilder(kind: string, options: BuilderOptions): Promise<ImageBuilder> {
  if (!isBuilderKind(kind)) {
    const known = Object.keys(modules).join(', ');
    throw new HeadgateError(
      'UNKNOWN_KIND',
      `Cannot build images as the builder must be known: current value is "${kind}"`,
      {
        hint: `use one of ${known}`,
      },
    );
  }
  return (await modules[kind]()).openImageBuilder(options);
}

function isBuilderKind(kind: string): kind is BuilderKind {
  return Object.hasOwn(modules, kind);
}
