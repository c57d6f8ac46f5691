/**
 * An autoscaler sees no load on a lane without weight, and would take away what the next step needs. So its minimum is raised while
 * Headgate holds the lane's size, and its own bounds, kept in an annotation, come back afterwards, those that its owner has written
 * meanwhile excepted.
 */
import type { KubeClient } from '../../platform/kubernetes/client.ts';
import { kinds } from '../../platform/kubernetes/kinds.ts';
import { marks } from '../../platform/kubernetes/lane-names.ts';
import type { Autoscaling } from '../workload.ts';
import type { Autoscaler } from './objects.ts';
import { annotated, change, type Writer } from './write.ts';

/** @param sizes Least number of pods by name of Deployment. */
export async function raiseAutoscalers(
  writer: Writer,
  sizes: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const kind = kinds.HorizontalPodAutoscaler;
  for (const { metadata, spec } of scaling(await listAutoscalers(writer.client, signal), new Set(sizes.keys()))) {
    const size = sizes.get(spec.scaleTargetRef.name) ?? 0;
    await change<Autoscaler>(writer, { kind, name: metadata.name, alter: (current) => raised(current, size) }, signal);
  }
}

export async function giveBackAutoscalers(
  writer: Writer,
  deployments: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const kind = kinds.HorizontalPodAutoscaler;
  for (const { metadata } of scaling(await listAutoscalers(writer.client, signal), deployments)) {
    if (metadata.annotations?.[marks.autoscale] === undefined) continue;
    await change<Autoscaler>(writer, { kind, name: metadata.name, alter: givenBack }, signal);
  }
}

export async function listAutoscalers(client: KubeClient, signal: AbortSignal): Promise<readonly Autoscaler[]> {
  return (await client.list<Autoscaler>(kinds.HorizontalPodAutoscaler, {}, signal)).items;
}

export function stateOf(autoscalers: readonly Autoscaler[], deployments: ReadonlySet<string>): Autoscaling {
  const own = scaling(autoscalers, deployments);
  if (own.some(isLowered)) return 'lowered';
  if (own.some(({ metadata }) => metadata.annotations?.[marks.autoscale] !== undefined)) return 'held';
  return own.length > 0 ? 'free' : 'none';
}

function scaling(autoscalers: readonly Autoscaler[], deployments: ReadonlySet<string>): readonly Autoscaler[] {
  return autoscalers.filter(
    ({ spec: { scaleTargetRef } }) => scaleTargetRef.kind === 'Deployment' && deployments.has(scaleTargetRef.name),
  );
}

type Bounds = { readonly min: number; readonly max: number };

/** What its owner allows, and what was written in place of it. */
type Held = { readonly owner: Bounds; readonly ours: Bounds };

/** The maximum too, if it is below: a minimum above it would be refused. Bounds that are wide enough are marked as held all the same. */
function raised(autoscaler: Autoscaler, size: number): Autoscaler {
  const owner = ownersOf(autoscaler);
  const { min, max } = boundsOf(autoscaler);
  const least = Math.max(min, size);
  const ours = { min: least, max: Math.max(max, least) };
  return annotated(withBounds(autoscaler, ours), { [marks.autoscale]: `${text(owner)} ${text(ours)}` });
}

function givenBack(autoscaler: Autoscaler): Autoscaler {
  return annotated(withBounds(autoscaler, ownersOf(autoscaler)), { [marks.autoscale]: undefined });
}

/** A bound that is not ours any more was written by its owner meanwhile, and is what the owner wants from then on. */
function ownersOf(autoscaler: Autoscaler): Bounds {
  const now = boundsOf(autoscaler);
  const held = heldIn(autoscaler);
  if (held === undefined) return now;
  const { owner, ours } = held;
  const min = now.min === ours.min ? owner.min : now.min;
  return { min, max: Math.max(min, now.max === ours.max ? owner.max : now.max) };
}

function isLowered(autoscaler: Autoscaler): boolean {
  const held = heldIn(autoscaler);
  return held !== undefined && boundsOf(autoscaler).min < held.ours.min;
}

/** A mark without our own bounds is of a Headgate that did not write them down: they stand there as it left them. */
function heldIn(autoscaler: Autoscaler): Held | undefined {
  const mark = /^(\d+)-(\d+)(?: (\d+)-(\d+))?$/.exec(autoscaler.metadata.annotations?.[marks.autoscale] ?? '');
  if (mark === null) return undefined;
  const [min = 0, max = 0, ourMin, ourMax] = mark.slice(1).filter(Boolean).map(Number);
  const ours = ourMin === undefined || ourMax === undefined ? boundsOf(autoscaler) : { min: ourMin, max: ourMax };
  return { owner: { min, max }, ours };
}

function boundsOf({ spec }: Autoscaler): Bounds {
  return { min: spec.minReplicas ?? 1, max: spec.maxReplicas };
}

function withBounds(autoscaler: Autoscaler, { min, max }: Bounds): Autoscaler {
  return { ...autoscaler, spec: { ...autoscaler.spec, minReplicas: min, maxReplicas: max } };
}

function text({ min, max }: Bounds): string {
  return `${min}-${max}`;
}
