/** ConfigMaps that the pods of a lane read. Each is made once, before the pods, and never changed; its name carries the hash of what is in it. */
import { isDeepStrictEqual } from 'node:util';
import { HeadgateError } from '../../errors.ts';
import type { Lane } from '../../lane.ts';
import type { KubeClient, KubeObject } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { forLane, laneLabels, laneSelector, managedBy, marks } from '../../platform/kubernetes/lane-names.ts';
import type { ConfigMapTemplate, ServiceTemplate } from '../../revision.ts';

type Place = {
  readonly client: KubeClient;
  readonly app: string;
  readonly lane: Lane;
  readonly service: string;
};

type ConfigMap = KubeObject & Pick<ConfigMapTemplate, 'data'> & { readonly immutable: boolean };

export function configMapsOf(
  { app, lane, service }: Omit<Place, 'client'>,
  template: ServiceTemplate,
): readonly ConfigMap[] {
  const labels = { ...managedBy, ...laneLabels(app, lane, service) };
  return forLane(template.configMaps ?? [], lane).map(({ name, data }) => ({
    metadata: { name, labels },
    data,
    immutable: true,
  }));
}

/** Safe to repeat. @throws {HeadgateError} `WORKLOAD_UNREACHABLE` if another one has the name */
export async function makeConfigMaps(place: Place, template: ServiceTemplate, signal: AbortSignal): Promise<void> {
  const { client } = place;
  for (const wanted of configMapsOf(place, template)) {
    const { name } = wanted.metadata;
    if ((await client.create<ConfigMap>(kinds.ConfigMap, wanted, signal)).kind === 'written') continue;
    const there = await client.get<ConfigMap>(kinds.ConfigMap, name, signal);
    if (there?.immutable === true && isDeepStrictEqual(there.data, wanted.data)) continue;
    throw new HeadgateError(
      'WORKLOAD_UNREACHABLE',
      `Cannot use ConfigMap ${client.namespace}/${name} as one with other contents, or that may change, has its name`,
      { hint: `rename or delete it: \`kubectl -n ${client.namespace} delete configmap ${name}\`` },
    );
  }
}

/** Those of earlier revisions, once the Deployment has this one. */
export async function dropConfigMaps(place: Place, template: ServiceTemplate, signal: AbortSignal): Promise<void> {
  const { client, app, lane, service } = place;
  const kept = new Set(forLane(template.configMaps ?? [], lane).map(({ name }) => name));
  const labels = `${laneSelector(app, lane)},${marks.service}=${service}`;
  const { items } = await client.listMetadata(kinds.ConfigMap, { labels }, signal);
  for (const { metadata } of items) {
    if (!kept.has(metadata.name)) await client.remove(kinds.ConfigMap, metadata.name, signal, metadata.uid);
  }
}
