import type { KubeObject } from '../../platform/kubernetes/client.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';
import { fieldManager } from '../writer.ts';
import { canaryAnnotations, type Ingress, type IngressNames, mainPath, type PairState } from './pair.ts';

export type NewPair = {
  /** Of the main Ingress; the canary's is `<name>-canary`. */
  readonly name: string;
  readonly ingressClassName: string;
  /** `undefined`: any host. */
  readonly host: string | undefined;
  /** Prefixes of the paths that go to the lanes. */
  readonly paths: readonly string[];
  /** Of the lanes' Services and the closed one. */
  readonly port: number;
};

const closedPair: PairState = { main: undefined, canary: 'green', weight: 0, pins: [] };

/** Both Ingresses as they are made once: both lanes closed, no pin. */
export function newPair(
  wanted: NewPair,
  names: IngressNames,
): { readonly main: KubeObject & Ingress; readonly canary: KubeObject & Ingress } {
  const { name, ingressClassName, host, paths, port } = wanted;
  const labels = { 'app.kubernetes.io/managed-by': fieldManager, 'headgate.dev/app': names.app };
  const to = (path: string, pathType: string, service: string) => ({
    path,
    pathType,
    backend: { service: { name: service, port: { number: port } } },
  });
  const spec = (all: readonly ReturnType<typeof to>[]) => ({
    ingressClassName,
    rules: [{ ...(host === undefined ? {} : { host }), http: { paths: all } }],
  });
  const lead = (service: string) => paths.map((path) => to(path, 'Prefix', service));
  const annotations = Object.fromEntries(
    Object.entries(canaryAnnotations(closedPair, 0, names)).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value]],
    ),
  );
  return {
    main: {
      metadata: { name, labels, annotations: { [marks.fence]: '0' } },
      spec: spec([...lead(names.closed), to(mainPath(names.app), 'Exact', names.closed)]),
    },
    canary: {
      metadata: { name: `${name}-canary`, labels, annotations },
      spec: spec(lead(names.services.weighted[closedPair.canary])),
    },
  };
}
