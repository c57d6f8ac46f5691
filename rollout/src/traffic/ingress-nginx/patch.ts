import { lanes } from '../../lane.ts';
import { type PatchStep, pointer } from '../../platform/kubernetes/client.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';
import {
  canaryAnnotations,
  type Ingress,
  type IngressNames,
  type IngressPath,
  mainPath,
  mainPathService,
  type PairState,
} from './pair.ts';

/** JSON Patch by which the canary says this; empty if it does. */
export function canaryPatch(
  canary: Ingress,
  state: PairState,
  fence: number,
  names: IngressNames,
): readonly PatchStep[] {
  return tested(canary, [
    ...annotate(canary, canaryAnnotations(state, fence, names)),
    ...redirected(canary, names.services.weighted[state.canary], names),
  ]);
}

/** The same for the main Ingress. */
export function mainPatch(main: Ingress, state: PairState, fence: number, names: IngressNames): readonly PatchStep[] {
  const service = state.main === undefined ? names.closed : names.services.weighted[state.main];
  return tested(main, [
    ...annotate(main, { [marks.fence]: String(fence) }),
    ...redirected(main, service, names),
    ...markPath(main, mainPathService(state, names), names),
  ]);
}

function tested({ metadata }: Ingress, operations: readonly PatchStep[]): readonly PatchStep[] {
  if (operations.length === 0) return [];
  return [{ op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion }, ...operations];
}

function annotate({ metadata }: Ingress, wanted: Readonly<Record<string, string | undefined>>): readonly PatchStep[] {
  const before = metadata.annotations;
  const operations = Object.entries(wanted).flatMap(([key, value]): readonly PatchStep[] => {
    const path = pointer('metadata', 'annotations', key);
    if (before?.[key] === value) return [];
    return value === undefined ? [{ op: 'remove', path }] : [{ op: 'add', path, value }];
  });
  const make: PatchStep = { op: 'add', path: '/metadata/annotations', value: {} };
  return before === undefined && operations.length > 0 ? [make, ...operations] : operations;
}

type Placed = { readonly at: string; readonly path: IngressPath };

function pathsOf({ spec }: Ingress): readonly Placed[] {
  return (spec.rules ?? []).flatMap(({ http }, rule) =>
    (http?.paths ?? []).map((path, index) => ({ at: pointer('spec', 'rules', rule, 'http', 'paths', index), path })),
  );
}

/** Every path that leads to a lane, or to nobody, leads to this Service. */
function redirected(ingress: Ingress, service: string, { app, services, closed }: IngressNames): readonly PatchStep[] {
  const ours = [...lanes.map((lane) => services.weighted[lane]), closed];
  return pathsOf(ingress)
    .filter(({ path }) => path.path !== mainPath(app) && ours.includes(path.backend.service?.name ?? ''))
    .flatMap(({ at, path }) => renamed(at, path, service));
}

function renamed(at: string, { backend }: IngressPath, service: string): readonly PatchStep[] {
  const name = backend.service?.name;
  if (name === service) return [];
  return [
    { op: 'test', path: `${at}/backend/service/name`, value: name },
    { op: 'replace', path: `${at}/backend/service/name`, value: service },
  ];
}

/** The path by which main says whose it is; made where it is not there yet. */
function markPath(main: Ingress, service: string, { app }: IngressNames): readonly PatchStep[] {
  const paths = pathsOf(main);
  const own = paths.filter(({ path }) => path.path === mainPath(app));
  if (own.length > 0) return own.flatMap(({ at, path }) => renamed(at, path, service));
  const [first] = paths;
  if (first === undefined) return [];
  const port = first.path.backend.service?.port;
  const value = { path: mainPath(app), pathType: 'Exact', backend: { service: { name: service, port } } };
  return [{ op: 'add', path: `${first.at.slice(0, first.at.lastIndexOf('/'))}/-`, value }];
}
