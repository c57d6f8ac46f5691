/** Labels of a lane's Deployments, for `kubectl get deploy -L`. Their pods have none of these but the revision: no label restarts one. */
import type { Lane } from '../../lane.ts';
import type { KubeObject } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { laneSelector, marks } from '../../platform/kubernetes/lane-names.ts';
import type { LaneLabels } from '../../policy/look.ts';
import type { LaneRole } from '../../policy/release.ts';
import type { Deployment } from './objects.ts';
import { change, type Writer } from './write.ts';

const roles: readonly LaneRole[] = ['live', 'candidate', 'warm', 'adopting', 'idle'];

/** What all Deployments of a lane say; what one of them does not say, the lane does not. `undefined`: there is none. */
export function labelsIn(deployments: readonly Deployment[]): LaneLabels | undefined {
  const [first] = deployments;
  if (first === undefined) return undefined;
  const said = (mark: string): string | undefined => {
    const value = first.metadata.labels?.[mark];
    return deployments.every(({ metadata }) => metadata.labels?.[mark] === value) ? value : undefined;
  };
  const isTrue = deployments.every((one) => one.metadata.labels?.[marks.revision] === shortRevisionOf(one));
  const release = said(marks.release);
  return {
    role: isTrue ? roles.find((role) => role === said(marks.role)) : undefined,
    release: release === undefined ? undefined : Number(release),
  };
}

export async function labelLane(
  writer: Writer,
  { app, lane, role, release }: { readonly app: string; readonly lane: Lane } & LaneLabels,
  signal: AbortSignal,
): Promise<void> {
  const labels = laneSelector(app, lane);
  const { items } = await writer.client.list<Deployment>(kinds.Deployment, { labels }, signal);
  const alter = (current: Deployment): Deployment =>
    labelled(current, {
      [marks.role]: role,
      [marks.release]: release === undefined ? undefined : String(release),
      [marks.revision]: shortRevisionOf(current),
    });
  for (const { metadata } of items) {
    await change<Deployment>(writer, { kind: kinds.Deployment, name: metadata.name, alter, isShownOnly: true }, signal);
  }
}

/** As the pods of the revision say it. */
export function shortRevision(id: string): string {
  return id.slice(0, 16);
}

function shortRevisionOf({ metadata }: Deployment): string | undefined {
  const id = metadata.annotations?.[marks.revision];
  return id === undefined ? undefined : shortRevision(id);
}

/** `undefined` takes a label away. */
function labelled<T extends KubeObject>(object: T, labels: Readonly<Record<string, string | undefined>>): T {
  const all = Object.entries({ ...object.metadata.labels, ...labels });
  const kept = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...object, metadata: { ...object.metadata, labels: Object.fromEntries(kept) } };
}
