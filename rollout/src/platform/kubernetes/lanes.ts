import { HeadgateError } from '../../errors.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { type LaneDifference, laneDifferences } from './lane-difference.ts';
import { marks } from './lane-names.ts';
import { type Described, describeLanes, type LaneObject, type LanesTarget } from './lane-objects.ts';

/**
 * What one object in the cluster still needs. `set` brings fields of ours back; `refuse` is for a person: the object belongs to
 * somebody else, or what differs can only be changed by making it anew.
 */
export type LaneChange =
  | { readonly kind: 'make'; readonly object: LaneObject }
  | { readonly kind: 'set'; readonly object: LaneObject; readonly differences: readonly LaneDifference[] }
  | { readonly kind: 'refuse'; readonly object: LaneObject; readonly differences: readonly LaneDifference[] };

/** What `bootstrapLanes` would do, as data. @throws {HeadgateError} `CLUSTER_UNREACHABLE`, `CLUSTER_REFUSED`, `MANIFESTS_INVALID` */
export async function planLanes(
  client: KubeClient,
  target: LanesTarget,
  signal: AbortSignal,
): Promise<readonly LaneChange[]> {
  const changes = await Promise.all(
    describeLanes(target).map(async (object) =>
      laneChange(object, await client.get<Described>(object.kind, object.name, signal)),
    ),
  );
  return changes.filter((change) => change !== undefined);
}

/** What `bootstrapLanes` would do, unless one object must be refused. @throws {HeadgateError} as `bootstrapLanes` */
export async function checkLanes(
  client: KubeClient,
  target: LanesTarget,
  signal: AbortSignal,
): Promise<readonly LaneChange[]> {
  const changes = await planLanes(client, target, signal);
  refuse(changes.filter(({ kind }) => kind === 'refuse'));
  return changes;
}

/**
 * Makes Services, Deployments at zero, PodDisruptionBudgets, NetworkPolicies and the manifests' own autoscalers of both lanes, reads all
 * back and compares. Safe to repeat. What a release has set in a Deployment or an autoscaler stays. Nothing is changed while one object must be refused.
 * @returns what was done; nothing when all was there
 * @throws {HeadgateError} `LANES_DIFFER` with every object, field, wanted and current value; as `planLanes`
 */
export async function bootstrapLanes(
  client: KubeClient,
  target: LanesTarget,
  signal: AbortSignal,
): Promise<readonly LaneChange[]> {
  const changes = await checkLanes(client, target, signal);
  for (const change of changes) await carryOut(client, change, signal);
  refuse(await planLanes(client, target, signal));
  return changes;
}

/** The change that makes `current` as described, or `undefined` if it is so already. */
function laneChange(wanted: LaneObject, current: KubeObject | undefined): LaneChange | undefined {
  if (current === undefined) return { kind: 'make', object: wanted };
  const object = current.metadata.annotations?.[marks.autoscale] === undefined ? wanted : withoutBounds(wanted);
  const differences = laneDifferences(object.kept, current);
  if (differences.length === 0) return undefined;
  const isForeign = current.metadata.labels?.[marks.app] !== object.kept.metadata.labels?.[marks.app];
  const isFixed = object.kind.kind === 'Deployment' && differences.some(({ field }) => /^spec\.selector/.test(field));
  return { kind: isForeign || isFixed ? 'refuse' : 'set', object, differences };
}

/** An autoscaler whose bounds a release holds gets them back at its end. */
function withoutBounds(object: LaneObject): LaneObject {
  const { minReplicas: _min, maxReplicas: _max, ...spec } = object.kept.spec;
  return { ...object, kept: { ...object.kept, spec } };
}

/** A conflict is not tried again: what is read back afterwards shows what came of it. */
async function carryOut(client: KubeClient, { kind, object }: LaneChange, signal: AbortSignal): Promise<void> {
  if (kind === 'make') await client.create(object.kind, object.made, signal);
  else await client.merge(object.kind, object.name, object.kept, signal);
}

function refuse(changes: readonly LaneChange[]): void {
  const lines = changes.flatMap((change) => told(change));
  if (lines.length === 0) return;
  throw new HeadgateError('LANES_DIFFER', lines.join('\n'), {
    hint: 'rename or delete what is not of this app; what differs in ours, look at with `kubectl get -o yaml` when no release runs',
  });
}

function told(change: LaneChange): readonly string[] {
  const { kind, name } = change.object;
  if (change.kind === 'make') return [`Cannot use ${kind.kind} ${name} as it was made and is gone again`];
  return change.differences.map(
    ({ field, wanted, current }) =>
      `Cannot use ${kind.kind} ${name} as its ${field} must be ${JSON.stringify(wanted)}: current value is "${JSON.stringify(current) ?? 'absent'}"`,
  );
}
