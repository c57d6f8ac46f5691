/** How fast evidence for promotion grew of late, for the estimate of what is still needed. Informative, decides nothing. */
export type Pace = readonly Mark[];

/** Seconds of evidence, log wealth of the promotion side, candidate requests: all since the start. */
export type Mark = readonly [elapsed: number, logPromote: number, requests: number];

const recentSec = 60;
const markEverySec = 10;

/** Keeps a mark every 10 s and forgets those that are older than 60 s, all but the youngest of them. */
export function keepPace(pace: Pace, mark: Mark): Pace {
  const last = pace.at(-1);
  if (last !== undefined && mark[0] - last[0] < markEverySec) return pace;
  const firstRecent = pace.findIndex(([elapsed]) => mark[0] - elapsed < recentSec);
  const kept = firstRecent === -1 ? pace.slice(-1) : pace.slice(Math.max(0, firstRecent - 1));
  return [...kept, mark];
}

/** Nats per candidate request over the last 60 s; `undefined` without requests. */
export function recentGrowth(pace: Pace, [, logPromote, requests]: Mark): number | undefined {
  const first = pace[0];
  if (first === undefined || requests === first[2]) return undefined;
  return (logPromote - first[1]) / (requests - first[2]);
}
