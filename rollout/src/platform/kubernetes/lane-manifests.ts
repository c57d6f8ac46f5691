/** What a service's own manifests give to its lanes besides the pod template. It stands for ever, so bootstrap makes it; no release does. */
import { HeadgateError } from '../../errors.ts';
import { type Lane, lanes } from '../../lane.ts';
import type { KubeObject } from './client.ts';
import { type Kind, kinds } from './kinds.ts';
import { forLane, laneLabels, laneObjectName, managedBy } from './lane-names.ts';
import type { Described, LaneObject } from './lane-objects.ts';

/** Rendered manifests by service, `$(LANE)` in them. */
export type Manifests = Readonly<Record<string, readonly KubeObject[]>>;

/** One object that no lane can have as it is written. */
export type ManifestIssue = { readonly object: string; readonly rule: string; readonly current: string };

const taken: readonly Kind[] = [kinds.HorizontalPodAutoscaler, kinds.PodDisruptionBudget, kinds.NetworkPolicy];

type Place = { readonly app: string; readonly service: string };

/** @throws {HeadgateError} `MANIFESTS_INVALID` with all that is wrong */
export function manifestObjects(
  { app, service, lane }: Place & { readonly lane: Lane },
  objects: readonly KubeObject[],
): readonly LaneObject[] {
  refuse(manifestIssues({ app, service }, objects));
  return objects.flatMap((written) => {
    const kind = taken.find((one) => one.kind === written.kind);
    if (kind === undefined) return [];
    const { metadata, ...rest } = forLane(written, lane) as Described; // Each of these kinds has a spec.
    const { name, labels, annotations } = metadata;
    const object: Described = {
      metadata: {
        name,
        labels: { ...labels, ...managedBy, ...laneLabels(app, lane, service) },
        ...(annotations && { annotations }),
      },
      spec: rest.spec,
    };
    return [{ kind, name, made: object, kept: object }];
  });
}

/** What must be mended before a lane can have these objects; none: nothing. */
export function manifestIssues({ app, service }: Place, objects: readonly KubeObject[]): readonly ManifestIssue[] {
  return objects
    .filter(({ kind }) => taken.some((one) => one.kind === kind))
    .flatMap((object) => {
      const named = `${object.kind} ${object.metadata.name}`;
      return [versionIssue(object), nameIssue(app, object), aimIssue({ app, service }, object)]
        .filter((issue) => issue !== undefined)
        .map((issue) => ({ object: named, ...issue }));
    });
}

type Found = Omit<ManifestIssue, 'object'> | undefined;

function versionIssue({ kind, apiVersion = '' }: KubeObject): Found {
  const wanted = taken.find((one) => one.kind === kind)?.apiVersion ?? '';
  return apiVersion === wanted ? undefined : { rule: `apiVersion must be "${wanted}"`, current: apiVersion };
}

/** Both lanes have each of them, so no name may serve for both. */
function nameIssue(app: string, { metadata: { name } }: KubeObject): Found {
  const start = `${app}-$(LANE)-`;
  return name.startsWith(start) ? undefined : { rule: `name must begin with "${start}"`, current: name };
}

/** It must mean the pods of this service in this lane, and no others. */
function aimIssue({ app, service }: Place, object: KubeObject): Found {
  const { spec } = object as Described;
  if (object.kind === 'HorizontalPodAutoscaler') {
    const { kind = '', name = '' } = (spec['scaleTargetRef'] ?? {}) as { kind?: string; name?: string };
    const wanted = `Deployment ${laneObjectName(app, '$(LANE)', service)}`;
    return `${kind} ${name}` === wanted
      ? undefined
      : { rule: `scaleTargetRef must be ${wanted}`, current: `${kind} ${name}` };
  }
  const selector = (spec['selector'] ?? spec['podSelector'] ?? {}) as { matchLabels?: Record<string, string> };
  const missing = Object.entries(laneLabels(app, '$(LANE)', service)).filter(
    ([label, value]) => selector.matchLabels?.[label] !== value,
  );
  const rule = `selector must have ${missing.map(([label, value]) => `${label}: ${value}`).join(', ')}`;
  return missing.length === 0 ? undefined : { rule, current: JSON.stringify(selector) };
}

function refuse(issues: readonly ManifestIssue[]): void {
  if (issues.length === 0) return;
  const lines = issues.map(
    ({ object, rule, current }) => `Cannot give ${object} to the lanes as its ${rule}: current value is "${current}"`,
  );
  throw new HeadgateError('MANIFESTS_INVALID', lines.join('\n'), {
    hint: `mend the manifests; "$(LANE)" becomes ${lanes.join(' and ')}`,
  });
}
