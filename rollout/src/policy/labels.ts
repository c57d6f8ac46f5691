import { lanes, type PerLane } from '../lane.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import type { Command, LaneRole, Release } from './release.ts';

/**
 * What people see of a lane with the platform's own tools. It follows what is decided and nothing follows it. Live hears of it when
 * the roles swap, and while it adopts: a release that is on its way touches the candidate alone.
 */
export function labelCommands(release: Release, phase: Phase, look: Look): readonly Command[] {
  const roles = rolesIn(release, phase, look);
  return lanes.flatMap((lane): readonly Command[] => {
    const role = roles[lane];
    const labels = look.lanes[lane].workload?.labels;
    // Where a platform shows none, or none can be seen just now, there is nothing to set right.
    if (role === undefined || labels === undefined) return [];
    const number = lane === release.candidate ? release.id : labels.release;
    if (labels.role === role && labels.release === number) return [];
    return [{ kind: 'label', lane, role, release: number }];
  });
}

function rolesIn(release: Release, phase: Phase, look: Look): Partial<PerLane<LaneRole>> {
  const { candidate, former } = release;
  const say = (own: LaneRole, other: LaneRole): Partial<PerLane<LaneRole>> => ({
    [candidate]: own,
    ...(former !== undefined && { [former]: other }),
  });
  switch (phase.kind) {
    case 'closing': // The lane still holds what an earlier release left in it.
    case 'returning':
      return {};
    case 'starting':
    case 'comparing':
    case 'settling':
    case 'holding':
    case 'promoting':
    case 'interrupted':
      return showsAdoption(release, look) ? say('candidate', 'live') : { [candidate]: 'candidate' };
    case 'watching':
    case 'promoted':
      return say('live', 'warm');
    case 'retiring':
      return say('live', phase.stage === 'workers' ? 'idle' : 'warm');
    case 'retired':
      return say('live', 'idle');
    case 'rollingBack':
      return rolesOnWayBack(release, phase.stage, say);
    case 'rolledBack':
      return say('idle', phase.backlog > 0 && release.plan.adopt !== 'answer' ? 'adopting' : 'live');
  }
}

/** As an earlier release left it, whose backlog was not worked off at its end, or this one whose adoption has ended. */
export function showsAdoption({ former }: Release, { lanes: seen }: Look): boolean {
  return former !== undefined && seen[former].workload?.labels?.role === 'adopting';
}

function rolesOnWayBack(
  { plan }: Release,
  stage: Extract<Phase, { kind: 'rollingBack' }>['stage'],
  say: (own: LaneRole, other: LaneRole) => Partial<PerLane<LaneRole>>,
): Partial<PerLane<LaneRole>> {
  switch (stage) {
    case 'closing':
    case 'fencing':
    case 'stopping':
    case 'binding':
    case 'answering':
      return {}; // Until the messages are in other hands, nothing may make the way back slower.
    case 'draining':
      return say('candidate', 'adopting');
    case 'retiring':
    case 'emptying':
      return say('idle', plan.queue && plan.adopt !== 'answer' ? 'adopting' : 'live');
    case 'unbinding':
      return say('idle', 'live');
  }
}
