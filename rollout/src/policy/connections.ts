import type { Lane } from '../lane.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import type { Command, Release } from './release.ts';

/** Users of the version that was live did nothing wrong: what they have open may go on for so long, or until the watch ends. */
const formerGraceMs = 300_000;
/** Of the former lane they are asked for more than once, in case one ask is lost. */
const askedForMs = 3_000;

/**
 * Weight moves requests. A connection that lasts, such as a websocket or an event stream, stays with the version that it was opened to,
 * until somebody closes it.
 */
export function connectionCommands(release: Release, phase: Phase, look: Look): readonly Command[] {
  const due = dueIn(release, phase, look);
  // Where weight 0 is not what the router does, connections may be new ones.
  if (due === undefined || (look.weights?.[due.lane] ?? 0) > 0) return [];
  return [{ kind: 'closeConnections', ...due }];
}

type Due = { readonly lane: Lane; readonly olderThanMs: number };

function dueIn({ candidate, former, plan }: Release, phase: Phase, look: Look): Due | undefined {
  if (plan.connectionGraceMs === undefined) return undefined;
  if (phase.kind === 'rollingBack') {
    if (phase.stage === 'closing' || look.lanes[candidate].workload?.proxies.present === 0) return undefined;
    const olderThanMs = look.now - (phase.fencedAt ?? phase.since);
    return olderThanMs >= plan.connectionGraceMs ? { lane: candidate, olderThanMs } : undefined;
  }
  if (former === undefined) return undefined;
  const openMs = formerGraceMs + askedForMs;
  if (phase.kind === 'watching') {
    const olderThanMs = look.now - phase.since;
    return olderThanMs >= formerGraceMs && olderThanMs < openMs ? { lane: former, olderThanMs } : undefined;
  }
  if (phase.kind !== 'promoted' || look.now !== phase.since || plan.watchMs >= openMs) return undefined;
  return { lane: former, olderThanMs: look.now - phase.warmUntil + plan.keepWarmMs };
}
