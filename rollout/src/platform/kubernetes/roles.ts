import type { KubeObject } from './client.ts';

/**
 * viewer: sees everything that `status`, `history` and `why` show, and changes nothing.
 * releaser: viewer, and may put wishes into the box and, when nobody drives, set the weights of the app's own route.
 * controller: drives from inside the cluster.
 * driver: the same for whoever drives from elsewhere, as the CI job does with `driver: cli`: it reaches NATS by a port that the API server forwards.
 * bootstrap: makes lanes, routes and these roles. It holds what it gives: the API server lets nobody give more.
 */
export const roleNames = ['viewer', 'releaser', 'controller', 'driver', 'bootstrap'] as const;

export type RoleName = (typeof roleNames)[number];

export type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
};

export type Role = KubeObject & { readonly rules: readonly Rule[] };

/** The ServiceAccount of the controller, in the namespace of the apps that it tends. */
export const controllerName = 'headgate-controller';

type Binding = KubeObject & { readonly roleRef: object; readonly subjects: readonly object[] };

export type AppObjects = {
  readonly app: string;
  /** The HTTPRoute or the main Ingress. */
  readonly route: string;
};

/**
 * The roles of one app in its namespace, named `headgate-<app>-<role>`. None reads a secret. A driver could still have a pod
 * mount one of the namespace: who may change Deployments always can, so secrets of other apps belong into other namespaces.
 */
export function rolesOf(app: AppObjects): readonly Role[] {
  return roleNames.map((name) => ({
    metadata: { name: `headgate-${app.app}-${name}`, labels: labelsOf(app.app, name) },
    rules: rulesOf(name, app),
  }));
}

/** By the second the cluster's owner picks what only an owner can make. */
function labelsOf(app: string, rights: RoleName) {
  return { 'headgate.dev/app': app, 'headgate.dev/rights': rights };
}

/** In the gateway's namespace, for drivers: which replicas there are, and their counters when there is no other way to them. */
export function gatewayRole(app: string): Role {
  return {
    metadata: { name: `headgate-${app}-gateway`, labels: { 'headgate.dev/app': app } },
    rules: [
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: see },
      { apiGroups: [''], resources: ['pods', 'services'], verbs: see },
      { apiGroups: [''], resources: ['pods/proxy'], verbs: ['get'] },
    ],
  };
}

/** In the gateway's namespace, when that is another one, for bootstrap: it makes both roles of there and the controller's binding, and holds what it gives. */
export function gatewayBootstrapRole(app: string): Role {
  return {
    metadata: { name: `headgate-${app}-gateway-bootstrap`, labels: labelsOf(app, 'bootstrap') },
    rules: [...gatewayRole(app).rules, settingRights],
  };
}

/** What the controller holds of one app: its role near, and the gateway's far. */
export function bindingsOf(
  app: string,
  { near, far }: { readonly near: string; readonly far: string },
): readonly { readonly namespace: string; readonly object: Binding }[] {
  const bind = (role: string, name: string): Binding => ({
    metadata: { name, labels: { 'headgate.dev/app': app } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
    subjects: [{ kind: 'ServiceAccount', name: controllerName, namespace: near }],
  });
  return [
    { namespace: near, object: bind(`headgate-${app}-controller`, `headgate-${app}-controller`) },
    // Equal apps of several namespaces meet in the gateway's.
    { namespace: far, object: bind(`headgate-${app}-gateway`, `headgate-${app}-controller-${near}`) },
  ];
}

const see = ['get', 'list', 'watch'];
const make = ['create', 'update', 'patch'];

function rulesOf(name: RoleName, app: AppObjects): readonly Rule[] {
  switch (name) {
    case 'viewer':
      return viewing;
    case 'releaser':
      return [...viewing, ...wishing(app)];
    case 'controller':
      return [...viewing, ...driving(app)];
    case 'driver':
      return [...viewing, ...driving(app), forwarding];
    case 'bootstrap':
      return [...viewing, ...driving(app), forwarding, ...making];
  }
}

const viewing: readonly Rule[] = [
  { apiGroups: [''], resources: ['configmaps', 'events', 'pods', 'services'], verbs: see },
  { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] }, // In a namespace's own role that is this one alone.
  { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: see },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: see },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: see },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: see },
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes'], verbs: see },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs: see },
  // Of each the name is known: whether bootstrap is due.
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['get'] },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['get'] },
];

/** Objects by name alone: no other ConfigMap and no other route. */
function wishing({ app, route }: AppObjects): readonly Rule[] {
  return [
    { apiGroups: [''], resources: ['configmaps'], verbs: ['patch'], resourceNames: [`headgate-${app}-wishes`] },
    ...routing(route),
  ];
}

function routing(route: string): readonly Rule[] {
  return [
    { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes'], verbs: ['patch'], resourceNames: [route] },
    {
      apiGroups: ['networking.k8s.io'],
      resources: ['ingresses'],
      verbs: ['patch'],
      resourceNames: [route, `${route}-canary`],
    },
  ];
}

/**
 * By name alone what has one from the start, so that equals in a namespace do not take each other's lock and write no other's route.
 * Nobody knows beforehand how parts of evidence and ConfigMaps of manifests are called, which services a later revision has, and whose
 * autoscaler somebody brings; and nothing is made by name.
 */
function driving({ app, route }: AppObjects): readonly Rule[] {
  return [
    { apiGroups: [''], resources: ['configmaps'], verbs: [...make, 'delete'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['update'],
      resourceNames: [`headgate-${app}`],
    },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: make },
    { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: ['update'] },
    ...routing(route),
    { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'list', 'watch', 'create', 'delete'] },
    { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
    { apiGroups: [''], resources: ['resourcequotas'], verbs: ['get', 'list'] },
    { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
    { apiGroups: [''], resources: ['pods/proxy'], verbs: ['get', 'create'] },
  ];
}

const forwarding: Rule = { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] };

const settingRights: Rule = {
  apiGroups: ['rbac.authorization.k8s.io'],
  resources: ['roles', 'rolebindings'],
  verbs: ['get', ...make],
};

/** Of any name: it makes what stands for ever, and gives rights to what it makes. */
const making: readonly Rule[] = [
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: make },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: make },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: make },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs: make },
  { apiGroups: ['gateway.networking.k8s.io'], resources: ['httproutes'], verbs: make },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'update'] },
  { apiGroups: [''], resources: ['services', 'serviceaccounts'], verbs: ['get', ...make] },
  settingRights,
];
