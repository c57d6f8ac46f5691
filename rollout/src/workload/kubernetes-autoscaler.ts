/**
 * An autoscaler sees no load on a lane without weight, and would take away what the next step needs. So its minimum is raised while
 * Headgate holds the lane's size, and its own bounds, kept in an annotation, come back afterwards.
 */
import { kinds } from '../platform/kubernetes/kinds.ts';
import { marks } from '../platform/kubernetes/lane-names.ts';
import type { Autoscaler } from './kubernetes-objects.ts';
import { annotated, change, type Writer } from './kubernetes-write.ts';

/** @param sizes Least number of pods by name of Deployment. */
export async function raiseAutoscalers(
  writer: Writer,
  sizes: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const kind = kinds.HorizontalPodAutoscaler;
  for (const { metadata, spec } of await autoscalersOf(writer, new Set(sizes.keys()), signal)) {
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
  for (const { metadata } of await autoscalersOf(writer, deployments, signal)) {
    if (metadata.annotations?.[marks.autoscale] === undefined) continue;
    await change<Autoscaler>(writer, { kind, name: metadata.name, alter: givenBack }, signal);
  }
}

async function autoscalersOf(
  { client }: Writer,
  deployments: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly Autoscaler[]> {
  const { items } = await client.list<Autoscaler>(kinds.HorizontalPodAutoscaler, {}, signal);
  return items.filter(
    ({ spec: { scaleTargetRef } }) => scaleTargetRef.kind === 'Deployment' && deployments.has(scaleTargetRef.name),
  );
}

/** The maximum too, if it is below: a minimum above it would be refused. */
function raised(autoscaler: Autoscaler, size: number): Autoscaler {
  const { minReplicas = 1, maxReplicas } = autoscaler.spec;
  if (size <= minReplicas) return autoscaler;
  const before = autoscaler.metadata.annotations?.[marks.autoscale] ?? `${minReplicas}-${maxReplicas}`;
  const spec = { ...autoscaler.spec, minReplicas: size, maxReplicas: Math.max(maxReplicas, size) };
  return annotated({ ...autoscaler, spec }, { [marks.autoscale]: before });
}

function givenBack(autoscaler: Autoscaler): Autoscaler {
  const [, min, max] = /^(\d+)-(\d+)$/.exec(autoscaler.metadata.annotations?.[marks.autoscale] ?? '') ?? [];
  if (min === undefined || max === undefined) return autoscaler;
  const spec = { ...autoscaler.spec, minReplicas: Number(min), maxReplicas: Number(max) };
  return annotated({ ...autoscaler, spec }, { [marks.autoscale]: undefined });
}
