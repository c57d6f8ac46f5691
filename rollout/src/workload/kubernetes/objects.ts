/** What we read of the cluster's objects; everything else in them is kept as it is. */
import type { KubeObject } from '../../platform/kubernetes/client.ts';
import type { Condition } from '../../platform/kubernetes/conditions.ts';
import type { PodTemplate } from '../../revision.ts';

export type Deployment = KubeObject & {
  readonly spec: Readonly<Record<string, unknown>> & { readonly replicas?: number; readonly template: PodTemplate };
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
};

export type ContainerStatus = {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
};

export type ContainerState = {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: Terminated;
};

export type Terminated = {
  readonly exitCode: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
};

export type Probe = {
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
};

export type Pod = KubeObject & {
  readonly spec?: {
    readonly containers?: readonly {
      readonly name: string;
      readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
      readonly startupProbe?: Probe;
      readonly readinessProbe?: Probe;
    }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
};

export type Autoscaler = KubeObject & {
  readonly spec: {
    readonly scaleTargetRef: { readonly kind: string; readonly name: string };
    readonly minReplicas?: number;
    readonly maxReplicas: number;
  };
};
