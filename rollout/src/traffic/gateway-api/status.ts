import type { HttpRoute, ParentStatus } from '../http-route.ts';

const wanted = ['Accepted', 'ResolvedRefs'] as const;

/** Why the gateway's controllers do not stand behind this generation of the route, or `undefined`. It says nothing of the data plane. */
export function refusalOf({ metadata, spec, status }: HttpRoute): string | undefined {
  const parents = status?.parents ?? [];
  if (parents.length < (spec.parentRefs ?? []).length || parents.length === 0) {
    return 'no gateway has taken the route yet';
  }
  return parents.map((parent) => refusalBy(parent, metadata.generation ?? 0)).find((why) => why !== undefined);
}

function refusalBy({ conditions = [] }: ParentStatus, generation: number): string | undefined {
  for (const type of wanted) {
    const condition = conditions.find((one) => one.type === type);
    if (condition === undefined) return `the gateway has not said "${type}" of the route yet`;
    const { observedGeneration = generation, status, reason = 'no reason', message = '' } = condition;
    if (observedGeneration < generation)
      return `the gateway has seen generation ${observedGeneration} of ${generation}`;
    if (status !== 'True') return `the gateway says ${type}=${status} of the route (${reason}): ${message}`;
  }
  return undefined;
}
