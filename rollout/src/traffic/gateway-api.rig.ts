import type { RouteChange } from './gateway-api/route.ts';
import type { HttpRoute, Rule } from './http-route.ts';

/** What the API server makes of a change. */
export function applied(route: HttpRoute, change: RouteChange): HttpRoute {
  const rules = structuredClone(route.spec.rules ?? []) as Rule[];
  for (const { rule, backend, name, weight } of change.backends) {
    const ref = rules[rule]?.backendRefs?.[backend];
    if (ref?.name !== name) throw new Error(`no backend ${name} at ${rule}, ${backend}`);
    Object.assign(ref, { weight });
  }
  for (const place of change.remove) rules.splice(place, 1);
  const annotations = { ...route.metadata.annotations, ...change.annotations };
  return {
    ...route,
    metadata: { ...route.metadata, annotations },
    spec: { ...route.spec, rules: [...rules, ...change.append] },
  };
}
