import type { Lane, PerLane } from '../lane.ts';

/** Names of the two Services of each lane: same pods, so that requests by weight and by pin are counted apart. */
export type LaneServices = { readonly weighted: PerLane<string>; readonly pinned: PerLane<string> };

export function laneServices(app: string): LaneServices {
  const named = (name: (lane: Lane) => string): PerLane<string> => ({ blue: name('blue'), green: name('green') });
  return { weighted: named((lane) => `${app}-${lane}`), pinned: named((lane) => `${app}-${lane}-pinned`) };
}
