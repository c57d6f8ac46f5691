import type { StepCache } from './cache.ts';

/** The near one first. What only the far one has is a hit all the same; whatever is made goes into both. */
export function layered(near: StepCache, far: StepCache): StepCache {
  const owners = new WeakMap<object, StepCache>();
  const from = async <Found extends object>(cache: StepCache, found: Promise<Found | undefined>) => {
    const entry = await found;
    if (entry !== undefined) owners.set(entry, cache);
    return entry;
  };
  return {
    where: `${near.where} or ${far.where}`,
    find: async (step, key, signal) =>
      (await from(near, near.find(step, key, signal))) ?? (await from(far, far.find(step, key, signal))),
    latest: async (step, signal) => (await near.latest(step, signal)) ?? (await far.latest(step, signal)),
    restore: async (entry, to, signal) => (owners.get(entry) ?? near).restore(entry, to, signal),
    async keep(entry, source, signal) {
      await near.keep(entry, source, signal);
      await far.keep(entry, source, signal);
    },
  };
}
