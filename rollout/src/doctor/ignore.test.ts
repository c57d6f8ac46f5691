import { expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { parseSpec, type Spec } from '../spec.ts';
import { ignoreSnippets } from './ignore.ts';

function spec(kubernetes: string): Spec {
  const text = `app: ratings\nservices: { proxy: { source: p, port: 8080 } }\n${kubernetes}`;
  const parsed = parseSpec(text, { file: 'headgate.yaml' });
  if (parsed.kind === 'issues') throw new Error(JSON.stringify(parsed.issues));
  return parsed.spec;
}

const on = (router: string) =>
  spec(`kubernetes: { namespace: demo, traffic: { ${router}: { route: shop }, replicas: { service: r } } }\n`);

test('ignoreSnippets() has Argo CD leave weights, images and replicas of both lanes alone', () => {
  const { spec: application } = load(ignoreSnippets(on('gateway-api')).argocd) as {
    spec: { syncPolicy: object; ignoreDifferences: { kind: string; name: string; jsonPointers: string[] }[] };
  };

  expect(application.syncPolicy).toEqual({ syncOptions: ['RespectIgnoreDifferences=true'] });
  expect(application.ignoreDifferences.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'HTTPRoute shop',
    'Deployment ratings-blue-proxy',
    'Deployment ratings-green-proxy',
    'HorizontalPodAutoscaler ratings-blue-proxy',
    'HorizontalPodAutoscaler ratings-green-proxy',
  ]);
  expect(application.ignoreDifferences[0]?.jsonPointers).toContain('/spec/rules');
  expect(application.ignoreDifferences[1]?.jsonPointers).toEqual(
    expect.arrayContaining(['/spec/replicas', '/spec/template', '/metadata/labels']),
  );
});

test('ignoreSnippets() has Flux make the same kinds and then leave them', () => {
  const { spec: kustomization } = load(ignoreSnippets(on('ingress-nginx')).flux) as {
    spec: { patches: { target: object; patch: string }[] };
  };

  expect(kustomization.patches.map(({ target }) => target)).toEqual(
    ['Ingress', 'Deployment', 'HorizontalPodAutoscaler'].map((kind) => ({
      kind,
      labelSelector: 'headgate.dev/app=ratings',
    })),
  );
  expect(load(kustomization.patches[0]?.patch ?? '')).toMatchObject({
    apiVersion: 'networking.k8s.io/v1',
    metadata: { annotations: { 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' } },
  });
});

test('ignoreSnippets() are empty for an app on no cluster', () => {
  expect(ignoreSnippets(spec(''))).toEqual({ argocd: '', flux: '' });
});
