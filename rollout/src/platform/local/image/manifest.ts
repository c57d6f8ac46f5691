import { type Digest, digest } from '../../../revision.ts';
import { corrupt } from './download.ts';
import type { ImageReference } from './reference.ts';

/** How the image wants to be run. */
export type ImageConfig = {
  /** Entry point and command in one list; never empty. */
  readonly entrypoint: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** As written in the image; empty for root. */
  readonly user: string;
  readonly workdir: string;
};

export type LayerReference = { readonly digest: Digest; readonly gzip: boolean };

export type Manifest =
  | { readonly kind: 'image'; readonly config: Digest; readonly layers: readonly LayerReference[] }
  /** One image per platform; `chosen` is the one for this machine. */
  | { readonly kind: 'index'; readonly chosen: Digest };

const layerTypes: Readonly<Record<string, { readonly gzip: boolean }>> = {
  'application/vnd.oci.image.layer.v1.tar': { gzip: false },
  'application/vnd.oci.image.layer.v1.tar+gzip': { gzip: true },
  'application/vnd.docker.image.rootfs.diff.tar.gzip': { gzip: true },
};

/** @throws {HeadgateError} `IMAGE_CORRUPT` */
export function parseManifest(from: ImageReference, document: unknown): Manifest {
  const { manifests, config, layers } = record(document);
  if (Array.isArray(manifests)) return { kind: 'index', chosen: chooseImage(from, manifests.map(record)) };
  if (!Array.isArray(layers)) throw corrupt(from, 'its manifest must list layers');
  return {
    kind: 'image',
    config: digestOf(from, record(config)),
    layers: layers.map(record).map((layer) => {
      const known = layerTypes[String(layer['mediaType'])];
      if (known === undefined) {
        const types = Object.keys(layerTypes).join(', ');
        throw corrupt(from, `its layers must be one of ${types}: current value is "${layer['mediaType']}"`);
      }
      return { digest: digestOf(from, layer), ...known };
    }),
  };
}

/** @throws {HeadgateError} `IMAGE_CORRUPT` */
export function parseConfig(from: ImageReference, document: unknown): ImageConfig {
  const config = record(record(document)['config']);
  const entrypoint = [...texts(config['Entrypoint']), ...texts(config['Cmd'])];
  if (entrypoint.length === 0) throw corrupt(from, 'its config must have an entry point');
  const pairs = texts(config['Env']).map((pair): [string, string] => {
    const [name = '', ...value] = pair.split('=');
    return [name, value.join('=')];
  });
  return {
    entrypoint,
    env: Object.fromEntries(pairs),
    user: String(config['User'] ?? ''),
    workdir: String(config['WorkingDir'] || '/'),
  };
}

function chooseImage(from: ImageReference, manifests: readonly Record<string, unknown>[]): Digest {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const chosen = manifests.find((manifest) => {
    const platform = record(manifest['platform']);
    return platform['os'] === 'linux' && platform['architecture'] === architecture;
  });
  if (chosen === undefined) throw corrupt(from, `it has no image for linux/${architecture}`);
  return digestOf(from, chosen);
}

function digestOf(from: ImageReference, descriptor: Record<string, unknown>): Digest {
  try {
    return digest(String(descriptor['digest']));
  } catch (cause) {
    throw corrupt(from, 'its manifest names a part without a sha256 digest', cause);
  }
}

function record(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {}; // The check is the proof.
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
