/** The way to what is no lane: `/ui`, and every path that nobody else has, to one Service. 503 while it has no healthy pod. */

import type { KubeObject } from './client.ts';
import type { Frontend } from './cluster-objects.ts';
import { managedBy, marks } from './lane-names.ts';

const paths = ['/ui', '/'];

/** A route of its own: the longest prefix wins over all routes of a host, and no release writes this one. */
export function frontendRoute(
  app: string,
  {
    parentRefs,
    hostnames,
    frontend,
  }: { parentRefs: readonly object[]; hostnames: readonly string[]; frontend: Frontend },
): KubeObject {
  const { service: name, port } = frontend;
  const backendRefs = [{ group: '', kind: 'Service', name, port, weight: 1 }];
  const rules = paths.map((value) => ({ matches: [{ path: { type: 'PathPrefix', value } }], backendRefs }));
  return described(app, { parentRefs, ...(hostnames.length > 0 && { hostnames }), rules });
}

export function frontendIngress(
  app: string,
  { ingressClassName, host, frontend }: { ingressClassName: string; host: string | undefined; frontend: Frontend },
): KubeObject {
  const backend = { service: { name: frontend.service, port: { number: frontend.port } } };
  const http = { paths: paths.map((path) => ({ path, pathType: 'Prefix', backend })) };
  return described(app, { ingressClassName, rules: [{ ...(host === undefined ? {} : { host }), http }] });
}

function described(app: string, spec: object): KubeObject {
  const metadata = { name: `${app}-frontend`, labels: { ...managedBy, [marks.app]: app } };
  return { metadata, spec } as KubeObject;
}
