import type { Lane } from '../lane.ts';
import type { LaneLook, Look } from './look.ts';
import { elapsedMs } from './next.ts';
import type { Phase, Reason } from './phase.ts';
import type { Release } from './release.ts';
import { tooFew } from './sizes.ts';

/** The start checks: what a candidate must show before it gets a request. */

/** A crash at the start counts once the lane had this long to come up by itself. */
const startGraceMs = 8_000;
/** A lane that is up and has not answered one synthetic request well by then will not. */
const probeMaxMs = 20_000;

/** Why the data are not what the candidate needs. */
export function migrationFailure({ plan }: Release, phase: Phase, { migration }: Look): Reason | undefined {
  if (phase.kind !== 'closing' || plan.migrate === undefined || migration?.kind !== 'failed') return undefined;
  return { kind: 'start', text: `the migration failed: ${migration.text}` };
}

/** What the migration still needs; `undefined`: there is none, or it is done. */
export function migrationBlocker({ plan }: Release, { migration }: Look): string | undefined {
  if (plan.migrate === undefined || migration?.kind === 'done') return undefined;
  if (migration === undefined) return 'the migration cannot be seen';
  if (migration.kind !== 'running') return 'the migration is to run';
  return `the migration runs${migration.text === undefined ? '' : ` (${migration.text})`}`;
}

/** Why the candidate will not start, or `undefined`. */
export function startFailure(release: Release, phase: Phase, look: Look): Reason | undefined {
  if (phase.kind !== 'starting') return undefined;
  const waited = elapsedMs(phase.since, look);
  const failure = look.lanes[release.candidate].workload?.failure;
  if (failure !== undefined && waited >= startGraceMs)
    return { kind: 'start', text: `the candidate does not start: ${failure}` };
  if (waited >= probeMaxMs && look.lanes[release.candidate].probe === 'failed') {
    return {
      kind: 'start',
      text: 'the candidate is up, but answers the synthetic request with an error or not at all',
    };
  }
  if (waited < release.plan.startMs) return undefined;
  return {
    kind: 'start',
    text: `the candidate was not ready within ${Math.round(release.plan.startMs / 1000)} s: ${startBlocker(release, look)}`,
  };
}

/** What the start checks still wait for, in the order in which a person would look; `undefined` when all passed. */
export function startBlocker(release: Release, look: Look): string | undefined {
  const { workload, queue, probe } = look.lanes[release.candidate];
  if (workload === undefined) return 'the candidate cannot be seen';
  if (workload.revision !== release.revision.id) return 'the new revision is not set yet';
  if (!workload.workers.complete) return `workers ready: ${workload.workers.ready}`;
  if (release.plan.queue && !isPulling(look.lanes[release.candidate], release.candidate)) {
    return queue === undefined
      ? "the candidate lane's queue cannot be seen"
      : 'no worker of the candidate waits for work yet';
  }
  if (!workload.proxies.complete) return `proxies ready: ${workload.proxies.ready}`;
  const short = tooFew(release, workload, release.plan.steps[0] ?? 100);
  if (short.length > 0) return `as many as live are needed: ${short.join(', ')}`;
  if (probe !== 'passed') return 'no synthetic request was answered through the lane yet';
  return undefined;
}

function isPulling({ queue }: LaneLook, lane: Lane): boolean {
  return queue?.waiting === true && queue.sources.length === 1 && queue.sources[0] === lane;
}
