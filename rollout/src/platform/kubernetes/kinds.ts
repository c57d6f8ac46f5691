/** A kind of object as the API server's paths name it. */
export type Kind = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
};

/** Every kind that Headgate touches: what is not here, no role of ours needs rights for. */
export const kinds = {
  ConfigMap: namespaced('v1', 'ConfigMap', 'configmaps'),
  Event: namespaced('v1', 'Event', 'events'),
  Namespace: { ...namespaced('v1', 'Namespace', 'namespaces'), namespaced: false },
  Node: { ...namespaced('v1', 'Node', 'nodes'), namespaced: false },
  Pod: namespaced('v1', 'Pod', 'pods'),
  ResourceQuota: namespaced('v1', 'ResourceQuota', 'resourcequotas'),
  Service: namespaced('v1', 'Service', 'services'),
  ServiceAccount: namespaced('v1', 'ServiceAccount', 'serviceaccounts'),
  Deployment: namespaced('apps/v1', 'Deployment', 'deployments'),
  ReplicaSet: namespaced('apps/v1', 'ReplicaSet', 'replicasets'),
  HorizontalPodAutoscaler: namespaced('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  PodDisruptionBudget: namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  Job: namespaced('batch/v1', 'Job', 'jobs'),
  Lease: namespaced('coordination.k8s.io/v1', 'Lease', 'leases'),
  EndpointSlice: namespaced('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  Ingress: namespaced('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  NetworkPolicy: namespaced('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  Gateway: namespaced('gateway.networking.k8s.io/v1', 'Gateway', 'gateways'),
  HTTPRoute: namespaced('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes'),
  Role: namespaced('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  RoleBinding: namespaced('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
} as const satisfies Record<string, Kind>;

/** Path of one object, or of all of its kind in a namespace. `subresource` as in `pods/<name>/log`. */
export function pathOf(kind: Kind, namespace: string, name?: string, subresource?: string): string {
  const root = kind.apiVersion === 'v1' ? '/api/v1' : `/apis/${kind.apiVersion}`;
  const place = kind.namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const one = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${place}/${kind.plural}${one}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** Path that leads through the API server to a port of a pod; the rest of what is asked there follows. Needs the right to `pods/proxy`. */
export function podProxyPath(namespace: string, pod: string, port: number): string {
  return `${pathOf(kinds.Pod, namespace)}/${encodeURIComponent(pod)}:${port}/proxy`;
}

function namespaced(apiVersion: string, kind: string, plural: string): Kind {
  return { apiVersion, kind, plural, namespaced: true };
}
