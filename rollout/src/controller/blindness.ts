import type { Port } from '../engine/occurrence.ts';

/** `journal`: the controller could not even read what there is to do. */
type Unseen = Port | 'journal';

/** Since when a controller sees nothing of a part of an app's world. */
export interface Blindness {
  /** It was not seen at `at`, and is asked again `againMs` later. */
  unseen(app: string, port: Unseen, at: number, againMs: number): void;
  /** Nobody looks any more. */
  rest(app: string): void;
  /** What is not seen at `now`, and since when. */
  at(now: number): readonly { readonly app: string; readonly port: Unseen; readonly blindMs: number }[];
}

/** What is not reported again this long after it was asked again has been seen. */
const answerMaxMs = 5_000;

export function makeBlindness(): Blindness {
  type Gap = { readonly app: string; readonly port: Unseen; readonly since: number; readonly until: number };
  const gaps = new Map<string, Gap>();
  return {
    unseen(app, port, at, againMs) {
      const before = gaps.get(`${app} ${port}`);
      const since = before !== undefined && at <= before.until ? before.since : at;
      gaps.set(`${app} ${port}`, { app, port, since, until: at + againMs + answerMaxMs });
    },
    rest(app) {
      for (const [key, gap] of gaps) if (gap.app === app) gaps.delete(key);
    },
    at: (now) =>
      [...gaps.values()]
        .filter(({ until }) => now <= until)
        .map(({ app, port, since }) => ({ app, port, blindMs: now - since })),
  };
}
