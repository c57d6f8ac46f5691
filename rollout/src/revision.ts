import { createHash } from 'node:crypto';
import type { Spec } from './spec.ts';

declare const brand: unique symbol;

/** `sha256:` and 64 hex digits: the only name of an image outside the build room. */
export type Digest = string & { readonly [brand]: 'digest' };

/** @throws {RangeError} if `value` is no sha256 digest */
export function digest(value: string): Digest {
  if (!/^sha256:[0-9a-f]{64}$/.test(value)) {
    throw new RangeError(`Cannot use "${value}" as a digest as it must be "sha256:" and 64 hex digits`);
  }
  return value as Digest; // The check above is the proof.
}

/** What one service of a lane runs with. Lane names inside stay `$(LANE)`, so that both lanes have one template. */
export type ServiceTemplate = {
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** HTTP port of a proxy; `undefined` for a worker. */
  readonly port: number | undefined;
  /** First tokens that a worker pulls; empty for plain HTTP. */
  readonly pulls: readonly string[];
  /** Path of the synthetic request of the start checks; `undefined` for a worker. */
  readonly probe: string | undefined;
  /** What `kubectl kustomize` made of the service's own manifests; what Headgate must set is set over it. Not written: all by default. */
  readonly podTemplate?: PodTemplate;
  /** Of the same manifests. Not written: none. */
  readonly configMaps?: readonly ConfigMapTemplate[];
};

/** Immutable: the hash of `data` is part of the name, and so is `$(LANE)`. */
export type ConfigMapTemplate = { readonly name: string; readonly data: Readonly<Record<string, string>> };

/** A pod template as Kubernetes knows it, `$(LANE)` in its texts. */
export type PodTemplate = {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>> & {
    readonly containers?: readonly (Readonly<Record<string, unknown>> & { readonly name: string })[];
  };
};

export type LaneTemplate = { readonly services: Readonly<Record<string, ServiceTemplate>> };

/** What is released: the digest of every service of the app plus the hash of the lane's rendered template. */
export type Revision = {
  /** sha256 (64 hex digits) of digests and template; people see the first 8. */
  readonly id: string;
  readonly digests: Readonly<Record<string, Digest>>;
  /** `host:port/name` of each service's image, without digest. Where it lies is not part of what it is. */
  readonly repositories: Readonly<Record<string, string>>;
  readonly template: LaneTemplate;
  /** Full commit id, or `undefined` for a release of bare digests. Not part of the id. */
  readonly commit: string | undefined;
};

export function makeRevision(parts: Omit<Revision, 'id'>): Revision {
  const identity = canonicalJson({ digests: parts.digests, template: parts.template });
  return { id: createHash('sha256').update(identity).digest('hex'), ...parts };
}

/** JSON with sorted keys and no `undefined`: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The lane's template as headgate.yaml gives it: env, replicas, ports. Lane names in it stay `$(LANE)`. */
export function templateOf(spec: Pick<Spec, 'services'>): LaneTemplate {
  const services = Object.entries(spec.services).map(
    ([name, { replicas, env, port, pulls, probe }]) => [name, { replicas, env, port, pulls, probe }] as const,
  );
  return { services: Object.fromEntries(services) };
}
