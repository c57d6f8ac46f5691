import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane } from '../lane.ts';
import type { LaneSeen, Workload } from '../workload/workload.ts';

/** What crashes or is refused at the start may come up by itself within this time. */
const graceMs = 8_000;
const lookEveryMs = 500;

type Settling = {
  readonly workload: Workload;
  readonly lane: Lane;
  /** Id that the lane must have; `undefined`: whichever its services have in common. */
  readonly revision: string | undefined;
  readonly timeoutMs: number;
};

/**
 * Waits until every instance of a lane is of its revision and ready, none of another one is left, and a request is answered through it.
 * @returns what it still lacks, one sentence a line, as soon as an instance cannot come up; `undefined`: nothing
 */
export async function settled(settling: Settling, signal: AbortSignal): Promise<string | undefined> {
  const { workload, lane, revision, timeoutMs } = settling;
  const begun = performance.now();
  for (;;) {
    const seen = await workload.observe(lane, signal);
    const other = otherIn(seen, revision);
    if (other !== undefined) return other; // Whoever sets it has done so by now.
    const lack = lackOf(seen) ?? (await unansweredOf(workload, lane, seen, signal));
    if (lack === undefined) return undefined;
    const waitedMs = performance.now() - begun;
    const failures = failuresIn(seen);
    if (failures.length > 0 && waitedMs >= graceMs) return failures.join('\n');
    if (waitedMs >= timeoutMs) return `${lack} after ${Math.round(waitedMs / 1_000)} s`;
    await sleep(lookEveryMs, undefined, { signal });
  }
}

function otherIn({ revision }: LaneSeen, wanted: string | undefined): string | undefined {
  if (revision === undefined) return 'its services have no revision in common';
  if (wanted !== undefined && wanted !== revision)
    return `its revision is ${revision.slice(0, 8)} and not ${wanted.slice(0, 8)}`;
  return undefined;
}

function lackOf({ services }: LaneSeen): string | undefined {
  const short = Object.entries(services).filter(([, one]) => one.ready < one.wanted || one.wanted === 0);
  if (short.length > 0)
    return `not ready: ${short.map(([name, { ready, wanted: n }]) => `${name} ${ready} of ${n}`).join(', ')}`;
  const old = Object.entries(services).filter(([, { stale }]) => stale > 0);
  if (old.length > 0)
    return `still of another revision: ${old.map(([name, { stale }]) => `${name} ${stale}`).join(', ')}`;
  return undefined;
}

/** Through the lane, from a proxy of it; an app that names no such request is not asked. */
async function unansweredOf(
  workload: Workload,
  lane: Lane,
  { revision }: LaneSeen,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await workload.probe(lane, signal);
  if (answer.kind === 'unanswered') return `no request was answered through it: ${answer.why}`;
  if (answer.status >= 500) return `a request through it was answered with ${answer.status}`;
  return answer.revision === revision ? undefined : 'a request through it was answered by another revision';
}

function failuresIn({ services }: LaneSeen): readonly string[] {
  return Object.entries(services).flatMap(([name, { failure }]) =>
    failure === undefined ? [] : [`${name}: ${failure.reason}: ${failure.message}`, ...failure.logLines],
  );
}
