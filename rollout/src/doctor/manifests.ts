/** A user's own manifests against what a lane needs. Nothing here asks anybody. */
import type { KubeObject } from '../platform/kubernetes/client.ts';
import { type Manifests, manifestIssues } from '../platform/kubernetes/lane-manifests.ts';
import { marks } from '../platform/kubernetes/lane-names.ts';
import type { ServiceSpec, Spec } from '../spec.ts';
import { type Finding, hint, missing } from './finding.ts';
import { endFindings } from './pod-end.ts';

/** As the API has them, as far as anybody here reads them. */
export type Container = {
  readonly name: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly readinessProbe?: unknown;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly ports?: readonly { readonly hostPort?: number }[];
};

export type Pod = {
  readonly containers?: readonly Container[];
  readonly terminationGracePeriodSeconds?: number;
  readonly hostNetwork?: boolean;
  readonly volumes?: readonly {
    readonly name: string;
    readonly persistentVolumeClaim?: object;
    readonly hostPath?: object;
  }[];
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: Selector }[];
};

type Selector = { readonly matchLabels?: Readonly<Record<string, string>> };

export type Written = {
  readonly about: string;
  readonly service: ServiceSpec;
  readonly objects: readonly KubeObject[];
  readonly pod: Pod;
  readonly container: Container;
};

const checks: readonly ((written: Written) => readonly Finding[])[] = [
  readiness,
  endFindings,
  oneNode,
  ownVolumes,
  ownSpread,
  roomToScale,
];

export function checkManifests({ app, services }: Spec, manifests: Manifests): readonly Finding[] {
  return Object.entries(manifests).flatMap(([name, objects]) => {
    const service = services[name];
    if (service === undefined) return [];
    const about = `${service.manifests}, ${name}`;
    return [
      ...ofPod(name, { about, service, objects }),
      ...manifestIssues({ app, service: name }, objects).map(({ object, rule, current }) =>
        missing(
          `${service.manifests}, ${object}`,
          `its ${rule}: current value is "${current}"`,
          'mend it; "$(LANE)" stands for the lane',
        ),
      ),
      ...leftAlone(about, objects),
    ];
  });
}

function ofPod(name: string, seen: Omit<Written, 'pod' | 'container'>): readonly Finding[] {
  const deployments = seen.objects.filter(({ kind }) => kind === 'Deployment');
  const { spec } = (deployments[0] ?? {}) as { spec?: { template?: { spec?: Pod } } };
  const pod = spec?.template?.spec ?? {};
  const container = pod.containers?.find((one) => one.name === name) ?? pod.containers?.[0];
  if (deployments.length === 1 && container !== undefined)
    return checks.flatMap((check) => check({ ...seen, pod, container }));
  return [
    missing(
      seen.about,
      `must hold one Deployment with a container: current value is "${deployments.length}"`,
      'name one under resources of its kustomization.yaml',
    ),
  ];
}

function readiness({ about, container }: Written): readonly Finding[] {
  if (container.readinessProbe !== undefined) return [];
  const said = `container ${container.name} must have a readinessProbe, or a bad version gets requests before it can answer them`;
  return [missing(about, said, 'write one; left out, Headgate asks GET /readyz on the port named admin, ADMIN_PORT')];
}

/** Both lanes run beside each other, often on one node. */
function oneNode({ about, pod, container }: Written): readonly Finding[] {
  const ports = (container.ports ?? []).flatMap(({ hostPort }) => hostPort ?? []);
  if (pod.hostNetwork !== true && ports.length === 0) return [];
  const current = pod.hostNetwork === true ? 'hostNetwork: true' : `hostPort: ${ports.join(', ')}`;
  return [
    missing(
      about,
      `must take no port of its node, as both lanes run there: current value is "${current}"`,
      'leave it out: requests come by the Service of the lane',
    ),
  ];
}

function ownVolumes({ about, pod }: Written): readonly Finding[] {
  return (pod.volumes ?? [])
    .filter((volume) => volume.persistentVolumeClaim !== undefined || volume.hostPath !== undefined)
    .map(({ name }) =>
      hint(
        about,
        `volume ${name} is shared by both lanes: two versions write to it at once`,
        'keep state in a database, or make it read-only',
      ),
    );
}

function ownSpread({ about, pod }: Written): readonly Finding[] {
  const shared = (pod.topologySpreadConstraints ?? []).filter(
    ({ labelSelector }) => labelSelector?.matchLabels?.[marks.lane] !== '$(LANE)',
  );
  if (shared.length === 0) return [];
  return [
    hint(
      about,
      `topologySpreadConstraints count the pods of both lanes: current value is "${JSON.stringify(shared[0]?.labelSelector)}"`,
      `add ${marks.lane}: $(LANE) to matchLabels`,
    ),
  ];
}

function roomToScale({ about, service, objects }: Written): readonly Finding[] {
  return objects
    .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
    .map((object) => (object as { spec?: { maxReplicas?: number } }).spec?.maxReplicas ?? 1)
    .filter((max) => max < service.replicas)
    .map((max) =>
      missing(
        about,
        `its autoscaler must have room for the ${service.replicas} replicas of headgate.yaml: current value is "${max}"`,
        'raise maxReplicas',
      ),
    );
}

/** What is no part of a lane: whoever wrote it applies it. */
function leftAlone(about: string, objects: readonly KubeObject[]): readonly Finding[] {
  const ours = ['Deployment', 'ConfigMap', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'NetworkPolicy'];
  const others = objects
    .filter(({ kind = '' }) => !ours.includes(kind))
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  return others.length === 0
    ? []
    : [
        hint(
          about,
          `Headgate applies no ${others.join(', no ')}`,
          'apply it by other means; lanes have Services and routes of their own',
        ),
      ];
}
