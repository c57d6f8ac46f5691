import { bootstrap, checkBootstrap } from '../../queue/bootstrap.ts';
import { openConnection } from '../../queue/connection.ts';
import type { Spec } from '../../spec.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { describeStanding, type Entrance, type Standing } from './cluster-objects.ts';
import { laneDifferences } from './lane-difference.ts';
import type { Manifests } from './lane-manifests.ts';
import { describeLanes } from './lane-objects.ts';
import { bootstrapLanes, checkLanes } from './lanes.ts';
import { queueAddress } from './queue-address.ts';

export type Bootstrap = {
  readonly spec: Spec;
  readonly entrance: Entrance;
  readonly manifests: Manifests;
};

/**
 * Makes what stands for ever: both lanes, the route to them and roles. What is there stays as it is. With `check` nothing is made: what
 * would be is told.
 * @returns one sentence for each thing that was made; none when all was there
 * @throws {HeadgateError} `MANIFESTS_INVALID`, `LANES_DIFFER`, `CLUSTER_REFUSED`, `CLUSTER_UNREACHABLE`
 */
export async function bootstrapCluster(
  { spec, entrance, manifests, check }: Bootstrap & { readonly check: boolean },
  client: KubeClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const made: string[] = [];
  const lanes = await (check ? checkLanes : bootstrapLanes)(client, { ...spec, manifests }, signal);
  for (const { kind, object } of lanes)
    made.push(`${kind === 'make' ? 'made' : 'set'} ${object.kind.kind} ${object.name}`);
  for (const one of describeStanding(spec, entrance))
    made.push(...(await settle(client.in(one.namespace), one, check, signal)));
  return made;
}

/** The same objects as they are made, for whoever applies them by other means. @throws {HeadgateError} `MANIFESTS_INVALID` */
export function describeCluster({ spec, entrance, manifests }: Bootstrap): readonly KubeObject[] {
  const namespace = spec.kubernetes?.namespace ?? '';
  const lanes = describeLanes({ ...spec, manifests }).map(({ kind, made }) => ({ kind, namespace, object: made }));
  return [...lanes, ...describeStanding(spec, entrance)].map(
    ({ kind: { apiVersion, kind }, namespace: at, object }) => ({
      apiVersion,
      kind,
      ...object,
      metadata: { ...object.metadata, namespace: at },
    }),
  );
}

async function settle(
  client: KubeClient,
  { kind, object, care }: Standing,
  check: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { name } = object.metadata;
  const before = await client.get(kind, name, signal);
  if (before !== undefined && (care === 'left' || laneDifferences(object, before).length === 0)) return [];
  const told = [`${before === undefined ? 'made' : 'set'} ${kind.kind} ${client.namespace}/${name}`];
  if (check) return told;
  if (care === 'kept') await client.apply(kind, object, signal);
  else if ((await client.create(kind, object, signal)).kind !== 'written') return []; // Somebody was quicker.
  return told;
}

/**
 * The same of streams and consumers; nothing for an app without a queue.
 * @throws {HeadgateError} `QUEUE_CONFIG_DIFFERS`, `QUEUE_UNREACHABLE`, `CLUSTER_REFUSED`, `CLUSTER_UNREACHABLE`
 */
export async function bootstrapQueue(
  { app, services, queue }: Spec,
  client: KubeClient,
  check: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (queue === undefined) return [];
  await using connection = openConnection(app, await queueAddress(queue.url, client));
  const changes = await (check ? checkBootstrap : bootstrap)(
    connection,
    { app, services, existing: queue.existing },
    signal,
  );
  return changes.map(({ kind, object }) => `${kind === 'make' ? 'made' : 'extended'} ${object.kind} ${object.name}`);
}
