import type { LaneCounts } from '../judge/verdict.ts';
import type { Story, StoryPoint } from './story.ts';

/** Points of some time, as one. */
export type Bin = {
  readonly from: number;
  readonly to: number;
  readonly live: LaneCounts;
  readonly candidate: LaneCounts;
  /** What was true at its end. */
  readonly last: StoryPoint;
};

/** A ratio of fewer requests is no picture of anything. */
export const ratioRequestsMin = 20;

/** From the beginning of the first look to the last one; nothing at all is one second long. */
export function spanOf({ points }: Story): { readonly begun: number; readonly spanMs: number } {
  const [first] = points;
  const begun = (first?.at ?? 0) - 1_000 * (first?.seconds ?? 0);
  return { begun, spanMs: Math.max(1_000, (points.at(-1)?.at ?? begun) - begun) };
}

/**
 * Points gathered into at most `binsMax` bins of equal time, and those into longer ones until the candidate has had so
 * many requests. A watch begins a bin.
 */
export function binned(
  story: Story,
  { binsMax, requestsMin }: { binsMax: number; requestsMin: number },
): readonly Bin[] {
  const { begun, spanMs } = spanOf(story);
  const leastMs = spanMs / binsMax;
  const bins: Bin[] = [];
  let open: Bin | undefined;
  for (const point of story.points) {
    if (open !== undefined && open.last.watched !== point.watched) {
      bins.push(open);
      open = undefined;
    }
    open = grown(open, point, bins.at(-1)?.to ?? begun);
    if (open.to - open.from < leastMs || open.candidate.requests < requestsMin) continue;
    bins.push(open);
    open = undefined;
  }
  return open === undefined ? bins : [...bins, open];
}

function grown(bin: Bin | undefined, point: StoryPoint, from: number): Bin {
  const none = { requests: 0, failures: 0 };
  const { live, candidate } = bin ?? { live: none, candidate: none };
  return {
    from: bin?.from ?? from,
    to: point.at,
    live: add(live, point.live),
    candidate: add(candidate, point.candidate),
    last: point,
  };
}

function add(one: LaneCounts, other: LaneCounts): LaneCounts {
  return { requests: one.requests + other.requests, failures: one.failures + other.failures };
}
