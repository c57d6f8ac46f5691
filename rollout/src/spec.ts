/** headgate.yaml as the rest of Headgate knows it: nothing optional, units in the names. */
export type Spec = {
  readonly app: string;
  readonly services: Readonly<Record<string, ServiceSpec>>;
  /** `undefined`: plain HTTP, no queue. */
  readonly queue: QueueSpec | undefined;
  /** `undefined`: the local platform. */
  readonly kubernetes: KubernetesSpec | undefined;
  readonly release: ReleaseSpec;
};

export type ServiceSpec = {
  /** Folder of the source, relative to headgate.yaml. */
  readonly source: string;
  /** `undefined` for a worker. */
  readonly port: number | undefined;
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  /** What a worker pulls, as `method.token`; empty: plain HTTP. */
  readonly pulls: readonly string[];
  /** Path of the synthetic request of the start checks (`/` unless written); `undefined` for a worker. */
  readonly probe: string | undefined;
  /** Folder of Kubernetes manifests, or `undefined`. */
  readonly manifests: string | undefined;
};

export type QueueSpec = { readonly url: string; readonly adopt: 'bind' | 'redeploy' | 'answer' };

export type KubernetesSpec = {
  readonly namespace: string;
  readonly traffic: { readonly kind: 'gateway-api' | 'ingress-nginx'; readonly route: string };
  readonly driver: 'controller' | 'cli';
};

export type Strategy = 'canary' | 'blue-green' | 'ab' | 'rolling';
export type Tolerance = 'strict' | 'default' | 'relaxed';

export type ReleaseSpec = {
  readonly strategy: Strategy;
  /** Candidate's weights before promotion, whole percent, rising; empty for blue-green. */
  readonly steps: readonly number[];
  readonly bakeMs: number;
  readonly tolerate: Tolerance;
  readonly deadlineMs: number;
  readonly atDeadline: 'hold' | 'rollback';
  readonly watchMs: number;
  readonly keepWarmMs: number;
  readonly onNewCommit: 'wait' | 'supersede';
  readonly approve: boolean;
  readonly connectionGraceMs: number;
  readonly migrate: { readonly image: string; readonly command: readonly string[] } | undefined;
};
