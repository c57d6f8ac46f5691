/** The controller of a namespace, with the roles that bootstrap makes and no others. */
type Named = {
  readonly [key: string]: unknown;
  readonly metadata: { readonly name: string; readonly namespace?: string };
};

export function controllerObjects(namespace: string, image: string): readonly Named[] {
  const name = 'headgate-controller';
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const labels = { app: name };
  const roleRef = (of: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: of });
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name },
      roleRef: roleRef('headgate-ratings-driver'),
      subjects,
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: `${name}-${namespace}`, namespace: 'gateway' },
      roleRef: roleRef('headgate-ratings-gateway'),
      subjects,
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: name,
            securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
            containers: [
              {
                name: 'controller',
                image,
                env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
                ports: [{ name: 'admin', containerPort: 9090 }],
                readinessProbe: { httpGet: { path: '/readyz', port: 'admin' }, periodSeconds: 1 },
                livenessProbe: { httpGet: { path: '/healthz', port: 'admin' }, periodSeconds: 5 },
                resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ['ALL'] },
                },
              },
            ],
          },
        },
      },
    },
  ];
}
