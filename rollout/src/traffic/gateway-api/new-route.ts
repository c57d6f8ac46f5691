import { closedWeights, lanes } from '../../lane.ts';
import type { KubeObject } from '../../platform/kubernetes/client.ts';
import type { HttpRoute, Rule } from '../http-route.ts';
import { fieldManager } from '../writer.ts';
import type { RouteNames } from './own-rules.ts';
import { changeOf } from './route.ts';

export type NewRoute = {
  readonly namespace: string;
  readonly name: string;
  readonly parentRefs: readonly { readonly name: string; readonly namespace?: string; readonly sectionName?: string }[];
  readonly hostnames: readonly string[];
  /** Prefixes of the paths that go to the lanes. */
  readonly paths: readonly string[];
  /** Of the lanes' Services. */
  readonly port: number;
  /** The gateway marks answers of a lane, its own 503 for a lane without endpoints too. Needs its feature HTTPRouteBackendResponseHeaderModification. */
  readonly mark: boolean;
};

/** Headgate's own HTTPRoute as it is made once: both lanes closed, no pin. */
export function newRoute(wanted: NewRoute, names: RouteNames): KubeObject & HttpRoute {
  const rule = weightedRule(wanted, names);
  const spec = { parentRefs: wanted.parentRefs, hostnames: wanted.hostnames, rules: [rule] };
  const bare: HttpRoute = { metadata: { name: wanted.name, resourceVersion: '' }, spec };
  const changed = changeOf(bare, { weights: closedWeights, pins: [], fence: 0 }, names);
  const { append, annotations } = changed.kind === 'change' ? changed.change : { append: [], annotations: {} };
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: {
      name: wanted.name,
      namespace: wanted.namespace,
      labels: { 'app.kubernetes.io/managed-by': fieldManager, 'headgate.dev/app': names.app },
      annotations,
    },
    spec: { ...spec, rules: [rule, ...append] },
  };
}

function weightedRule({ paths, port, mark }: NewRoute, { services }: RouteNames): Rule {
  return {
    matches: paths.map((value) => ({ path: { type: 'PathPrefix', value } })),
    backendRefs: lanes.map((lane) => ({
      group: '',
      kind: 'Service',
      name: services.weighted[lane],
      port,
      weight: 0,
      ...(mark ? { filters: [laneMark(lane)] } : {}),
    })),
  };
}

function laneMark(lane: string): object {
  return { type: 'ResponseHeaderModifier', responseHeaderModifier: { set: [{ name: 'Headgate-Lane', value: lane }] } };
}
