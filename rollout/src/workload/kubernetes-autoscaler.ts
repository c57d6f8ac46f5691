/**
 * An autoscaler sees no load on a lane without weight, and would take away what the next step needs. So its minimum is raised while
 * Headgate holds the lane's size, and its own bounds, kept in an annotation, come back afterwards.
 */
import type { KubeClient } from '../platform/kubernetes/client.ts';
import { kinds } from '../platform/kubernetes/kinds.ts';
import { marks } from '../platform/kubernetes/lane-names.ts';
import type { Autoscaler } from './kubernetes-objects.ts';
import { annotated, change, type Writer } from './kubernetes-write.ts';
import type { Autoscaling } from './workload.ts';

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
  if (own.some(({ metadata }) => metadata.annotations?.[marks.autoscale] !== undefined)) return 'held';
  return own.length > 0 ? 'free' : 'none';
}

function scaling(autoscalers: readonly Autoscaler[], deployments: ReadonlySet<string>): readonly Autoscaler[] {
  return autoscalers.filter(
    ({ spec: { scaleTargetRef } }) => scaleTargetRef.kind === 'Deployment' && deployments.has(scaleTargetRef.name),
  );
}

/** The maximum too, if it is below: a minimum above it would be refused. Bounds that are wide enough are marked as held all the same. */
function raised(autoscaler: Autoscaler, size: number): Autoscaler {
  const { minReplicas = 1, maxReplicas } = autoscaler.spec;
  const before = autoscaler.metadata.annotations?.[marks.autoscale] ?? `${minReplicas}-${maxReplicas}`;
  const least = Math.max(minReplicas, size);
  const spec = { ...autoscaler.spec, minReplicas: least, maxReplicas: Math.max(maxReplicas, least) };
  return annotated({ ...autoscaler, spec }, { [marks.autoscale]: before });
}

function givenBack(autoscaler: Autoscaler): Autoscaler {
  const [, min, max] = /^(\d+)-(\d+)$/.exec(autoscaler.metadata.annotations?.[marks.autoscale] ?? '') ?? [];
  if (min === undefined || max === undefined) return autoscaler;
  const spec = { ...autoscaler.spec, minReplicas: Number(min), maxReplicas: Number(max) };
  return annotated({ ...autoscaler, spec }, { [marks.autoscale]: undefined });
}
