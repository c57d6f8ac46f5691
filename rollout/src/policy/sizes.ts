import type { Look, WorkloadLook } from './look.ts';
import type { Release, ReleaseState } from './release.ts';

type Sizes = Readonly<Record<string, number>>;

/** Instances by service that the candidate needs for all traffic: as its template says, and no fewer than live had at its peak. */
export function neededSizes({ plan, state }: Release): Sizes {
  const own = Object.entries({ ...plan.proxies, ...plan.workers });
  return Object.fromEntries(own.map(([name, n]) => [name, Math.max(n, state.peak[name] ?? 0)]));
}

/** Services of the candidate that have too few ready instances for a weight, each with what it has and needs. */
export function tooFew(release: Release, { ready }: WorkloadLook, weight: number): readonly string[] {
  return Object.entries(neededSizes(release))
    .map(([name, n]) => ({ name, has: ready[name] ?? 0, needs: Math.ceil((n * weight) / 100) }))
    .filter(({ has, needs }) => has < needs)
    .map(({ name, has, needs }) => `${name} ${has} of ${needs}`);
}

/** What live has now, and no fewer than its template asks for: a lane that is kept must not shrink while no user reaches it. */
export function presentSizes({ plan }: Release, { ready }: WorkloadLook): Sizes {
  return Object.fromEntries(Object.entries(plan.liveSizes).map(([name, n]) => [name, Math.max(n, ready[name] ?? 0)]));
}

/** Whether its owner's bounds are still to come back. */
export function isHeld({ autoscaler }: WorkloadLook): boolean {
  return autoscaler === 'held' || autoscaler === 'lowered';
}

/** Live's peak and what is seen of it now; the very peak when nothing is larger. A size that the template asks for is no peak. */
export function peakWith({ former, plan, state: { peak } }: Release, look: Look): ReleaseState['peak'] {
  const ready = former === undefined ? undefined : look.lanes[former].workload?.ready;
  const grown = Object.entries(ready ?? {}).filter(
    ([name, n]) => n > Math.max(plan.liveSizes[name] ?? n, peak[name] ?? 0),
  );
  return grown.length === 0 ? peak : { ...peak, ...Object.fromEntries(grown) };
}
