/** What an app has in a cluster besides its lanes: the way in, the box for wishes, and who may do what. */
import { emptyBox } from '../../journal/kubernetes/wishes.ts';
import type { Spec } from '../../spec.ts';
import { newRoute } from '../../traffic/gateway-api/new-route.ts';
import { newPair } from '../../traffic/ingress-nginx/new-pair.ts';
import { laneServices } from '../../traffic/lane-services.ts';
import type { KubeObject } from './client.ts';
import { frontendIngress, frontendRoute } from './frontend-objects.ts';
import { type Kind, kinds } from './kinds.ts';
import { marks, servicePort } from './lane-names.ts';
import { bindingsOf, gatewayBootstrapRole, gatewayRole, rolesOf } from './roles.ts';

/** What no headgate.yaml says, as it is asked only once: where users come in. */
export type Entrance = {
  readonly through:
    | { readonly kind: 'gateway-api'; readonly namespace: string; readonly name: string }
    | { readonly kind: 'ingress-nginx'; readonly className: string };
  /** `undefined`: any host. */
  readonly host: string | undefined;
  /** Prefixes of the paths that go to the lanes. */
  readonly paths: readonly string[];
  readonly frontend: Frontend | undefined;
};

/** A Service of the user's own that gets `/ui` and every path that nobody else has. */
export type Frontend = { readonly service: string; readonly port: number };

export type Standing = {
  readonly kind: Kind;
  readonly namespace: string;
  readonly object: KubeObject;
  /** `left`: what is there stays, as releases write it. `kept`: it is brought back to what is said here. */
  readonly care: 'left' | 'kept';
};

export function describeStanding(spec: Spec, entrance: Entrance): readonly Standing[] {
  const namespace = spec.kubernetes?.namespace ?? '';
  return [
    ...waysIn(spec, entrance).map(({ kind, object, care }) => ({ kind, namespace, object, care })),
    { kind: kinds.ConfigMap, namespace, object: emptyBox(spec.app), care: 'left' },
    ...rightsOf(spec, namespace),
  ];
}

type Way = Omit<Standing, 'namespace'>;

/** 503 while no lane has weight or a healthy endpoint: no rule leads anywhere else. */
function waysIn({ app, kubernetes }: Spec, { through, host, paths, frontend }: Entrance): readonly Way[] {
  const name = kubernetes?.traffic.route ?? app;
  const services = laneServices(app);
  switch (through.kind) {
    case 'gateway-api': {
      const { namespace: at, name: gateway } = through;
      const parentRefs = [{ namespace: at, name: gateway }];
      const hostnames = host === undefined ? [] : [host];
      const wanted = {
        namespace: kubernetes?.namespace ?? '',
        name,
        parentRefs,
        hostnames,
        paths,
        port: servicePort,
        mark: true,
      };
      const front = frontend && frontendRoute(app, { parentRefs, hostnames, frontend });
      return [
        { kind: kinds.HTTPRoute, object: newRoute(wanted, { app, services }), care: 'left' },
        ...(front === undefined ? [] : [{ kind: kinds.HTTPRoute, object: front, care: 'kept' } as const]),
      ];
    }
    case 'ingress-nginx': {
      const names = { app, services, closed: `${app}-closed` };
      const ingressClassName = through.className;
      const { main, canary } = newPair({ name, ingressClassName, host, paths, port: servicePort }, names);
      const front = frontend && frontendIngress(app, { ingressClassName, host, frontend });
      return [
        { kind: kinds.Service, object: closedService(app, names.closed), care: 'kept' },
        { kind: kinds.Ingress, object: main, care: 'left' },
        { kind: kinds.Ingress, object: canary, care: 'left' },
        ...(front === undefined ? [] : [{ kind: kinds.Ingress, object: front, care: 'kept' } as const]),
      ];
    }
  }
}

/** Without pods: what leads here is answered with 503. */
function closedService(app: string, name: string): KubeObject {
  const metadata = { name, labels: { [marks.app]: app } };
  return { metadata, spec: { ports: [{ name: 'http', port: servicePort, protocol: 'TCP' }] } } as KubeObject;
}

function rightsOf({ app, kubernetes }: Spec, namespace: string): readonly Standing[] {
  const far = kubernetes?.traffic.replicas.namespace ?? namespace;
  const kept = { care: 'kept' } as const;
  const roles = [
    ...rolesOf({ app, route: kubernetes?.traffic.route ?? app }).map((object) => ({ namespace, object })),
    { namespace: far, object: gatewayRole(app) },
    ...(far === namespace ? [] : [{ namespace: far, object: gatewayBootstrapRole(app) }]),
  ];
  // Everybody else's bindings are the cluster's owner's to make.
  const bindings = kubernetes?.driver === 'controller' ? bindingsOf(app, { near: namespace, far }) : [];
  return [
    ...roles.map((role) => ({ kind: kinds.Role, ...role, ...kept })),
    // Which role a binding gives cannot be changed: one of an earlier bootstrap, to a wider role, stays until somebody deletes it.
    ...bindings.map((binding) => ({ kind: kinds.RoleBinding, ...binding, care: 'left' }) as const),
  ];
}
