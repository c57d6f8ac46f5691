/** A revision for the live lane as whoever else applies it needs it: patches of its Deployments, and the way back from each. */
import type { Lane } from '../../lane.ts';
import { type KubeClient, type KubeObject, type PatchStep, pointer } from '../../platform/kubernetes/client.ts';
import { fenceOf, refuseReplaced } from '../../platform/kubernetes/fence.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { laneObjectName, marks } from '../../platform/kubernetes/lane-names.ts';
import type { QueueApp } from '../../queue/names.ts';
import type { Revision } from '../../revision.ts';
import { missing, revisionMarks } from '../kubernetes.ts';
import { configMapsOf } from './config.ts';
import { shortRevision } from './labels.ts';
import { revisionOf } from './look.ts';
import type { Deployment } from './objects.ts';
import { podTemplateOf } from './pod.ts';

export type ServiceRoll = {
  readonly deployment: string;
  readonly image: string;
  /** Made before the patch. */
  readonly configMaps: readonly KubeObject[];
  /** Refused by the API server once a newer driver has written; nothing changes when it is so already. */
  readonly patch: readonly PatchStep[];
  /** After the patch: puts back what was there when this was read. */
  readonly back: readonly PatchStep[];
};

type Rolling = QueueApp & {
  readonly lane: Lane;
  readonly revision: Revision;
  readonly fence: number;
  readonly natsUrl: string | undefined;
};

/** By service. Changes nothing. @throws {HeadgateError} `LOCK_HELD`, `WORKLOAD_UNREACHABLE` for a lane that bootstrap has not made */
export async function describeRoll(
  client: KubeClient,
  rolling: Rolling,
  signal: AbortSignal,
): Promise<Readonly<Record<string, ServiceRoll>>> {
  const { app, lane, revision } = rolling;
  const services = Object.keys(revision.template.services).sort();
  const rolls = await Promise.all(
    services.map(async (service) => {
      const name = laneObjectName(app, lane, service);
      const current = await client.get<Deployment>(kinds.Deployment, name, signal);
      if (current === undefined) throw missing(name, 'it is not there');
      return [service, serviceRoll(client.namespace, current, { ...rolling, service, services })] as const;
    }),
  );
  return Object.fromEntries(rolls);
}

const shownRevision = pointer('metadata', 'labels', marks.revision);

type Seat = Rolling & { readonly service: string; readonly services: readonly string[] };

function serviceRoll(namespace: string, current: Deployment, seat: Seat): ServiceRoll {
  const { service, revision, natsUrl, fence } = seat;
  const template = revision.template.services[service];
  if (template === undefined) throw new RangeError(`Cannot roll ${service} as the revision has none`);
  const deployment = current.metadata.name;
  const seen = fenceOf(current);
  refuseReplaced(`Deployment ${namespace}/${deployment}`, seen, fence);
  const shown = current.metadata.labels?.[marks.revision];
  const isNew = revisionOf(current) !== revision.id;
  const marked = { ...revisionMarks(seat), ...(isNew && { [marks.fence]: String(fence) }) };
  const configMaps = configMapsOf(seat, template).map((object) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    ...object,
    metadata: { ...object.metadata, namespace },
  }));
  return {
    deployment,
    image: `${revision.repositories[service]}@${revision.digests[service]}`,
    configMaps,
    patch: [
      { op: 'test', path: annotation(marks.fence), value: String(seen) },
      { op: 'replace', path: '/spec/template', value: podTemplateOf({ ...seat, template }, natsUrl) },
      ...marking(current, marked),
      { op: 'add', path: shownRevision, value: shortRevision(revision.id) },
    ],
    back: [
      { op: 'test', path: annotation(marks.fence), value: isNew ? String(fence) : String(seen) },
      { op: 'replace', path: '/spec/template', value: current.spec.template },
      ...markingBack(current, marked),
      // `add` before `remove`, as below.
      { op: 'add', path: shownRevision, value: shown ?? '' },
      ...(shown === undefined ? [{ op: 'remove', path: shownRevision } as const] : []),
    ],
  };
}

type Marks = Readonly<Record<string, string | undefined>>;

function marking({ metadata: { annotations = {} } }: Deployment, wanted: Marks): readonly PatchStep[] {
  return Object.entries(wanted).flatMap(([mark, value]): readonly PatchStep[] => {
    const path = annotation(mark);
    if (value !== undefined) return [{ op: 'add', path, value }];
    return annotations[mark] === undefined ? [] : [{ op: 'remove', path }];
  });
}

/** `add` before `remove`: also one that was never there may be taken away. The number of the driver only rises. */
function markingBack({ metadata: { annotations = {} } }: Deployment, changed: Marks): readonly PatchStep[] {
  return Object.keys(changed).flatMap((mark): readonly PatchStep[] => {
    if (mark === marks.fence) return [];
    const path = annotation(mark);
    const before = annotations[mark];
    const add = { op: 'add', path, value: before ?? '' } as const;
    return before === undefined ? [add, { op: 'remove', path }] : [add];
  });
}

function annotation(mark: string): string {
  return pointer('metadata', 'annotations', mark);
}
