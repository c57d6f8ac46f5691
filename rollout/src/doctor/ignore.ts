/** What a GitOps tool must leave alone, as it would put back what a release has just set: weights, images, replicas and the labels that say a lane's role. */
import { dump } from 'js-yaml';
import { lanes } from '../lane.ts';
import { laneObjectName, marks } from '../platform/kubernetes/lane-names.ts';
import type { Spec } from '../spec.ts';

type Part = {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly names: readonly string[];
  readonly jsonPointers: readonly string[];
};

/** Snippets for both tools, as YAML; empty for an app on no cluster. */
export function ignoreSnippets(spec: Spec): { readonly argocd: string; readonly flux: string } {
  const parts = partsOf(spec);
  return parts.length === 0 ? { argocd: '', flux: '' } : { argocd: argocd(parts), flux: flux(spec.app, parts) };
}

/** See https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/. Without the option it ignores differences, and syncs over them. */
function argocd(parts: readonly Part[]): string {
  const ignoreDifferences = parts.flatMap(({ group, kind, names, jsonPointers }) =>
    names.map((name) => ({ group, kind, name, jsonPointers })),
  );
  const syncPolicy = { syncOptions: ['RespectIgnoreDifferences=true'] };
  return dump({ spec: { syncPolicy, ignoreDifferences } }, { flowLevel: 3, lineWidth: -1, noRefs: true });
}

/**
 * Flux has no fields to ignore: it makes these objects and then leaves them.
 * See https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
 */
function flux(app: string, parts: readonly Part[]): string {
  const annotations = { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' };
  const patches = parts.map(({ group, version, kind }) => ({
    target: { kind, labelSelector: `${marks.app}=${app}` },
    patch: dump({ apiVersion: `${group}/${version}`, kind, metadata: { name: 'any', annotations } }),
  }));
  return dump({ spec: { patches } }, { lineWidth: -1 });
}

function partsOf({ app, services, kubernetes }: Spec): readonly Part[] {
  if (kubernetes === undefined) return [];
  const { kind, route } = kubernetes.traffic;
  const names = lanes.flatMap((lane) => Object.keys(services).map((service) => laneObjectName(app, lane, service)));
  const rules = ['/spec/rules', '/metadata/annotations'];
  return [
    kind === 'gateway-api'
      ? { group: 'gateway.networking.k8s.io', version: 'v1', kind: 'HTTPRoute', names: [route], jsonPointers: rules }
      : {
          group: 'networking.k8s.io',
          version: 'v1',
          kind: 'Ingress',
          names: [route, `${route}-canary`],
          jsonPointers: rules,
        },
    {
      group: 'apps',
      version: 'v1',
      kind: 'Deployment',
      names,
      jsonPointers: ['/spec/replicas', '/spec/template', '/metadata/annotations', '/metadata/labels'],
    },
    {
      group: 'autoscaling',
      version: 'v2',
      kind: 'HorizontalPodAutoscaler',
      names,
      jsonPointers: ['/spec/minReplicas', '/spec/maxReplicas', '/metadata/annotations'],
    },
  ];
}
