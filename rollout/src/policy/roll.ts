import type { Instant, Lane } from '../lane.ts';
import { otherLane } from '../lane.ts';
import type { Revision } from '../revision.ts';
import { refusal } from './begin.ts';
import { isOver } from './phase.ts';
import type { Ended, Head, ReleaseRequest, Rolling } from './release.ts';
import { recordsMax, revisionsMax } from './turn.ts';

/** What a rolling update is asked with: no candidate, so no weights, no judge and no probe of its own. */
export type RollRequest = Omit<ReleaseRequest, 'hotfix' | 'deadLetterBacklog' | 'probe'>;

/** `before` is what live holds; the same revision once more is repaired, and leaves no record. */
export type BegunRoll =
  | { readonly kind: 'begun'; readonly head: Head; readonly lane: Lane; readonly before: Revision }
  | { readonly kind: 'refused'; readonly code: 'REFUSED' | 'QUARANTINED'; readonly text: string };

/** Begins a rolling update of the live lane, or goes on with one that was interrupted. Nothing may stand in the other lane. */
export function beginRoll(head: Head, request: RollRequest, now: Instant): BegunRoll {
  const { live, release, rolling } = head;
  const before = live && head.lanes[live];
  const name = request.revision.id.slice(0, 8);
  if (live === undefined || before === undefined)
    return no(`Cannot roll revision ${name} into the live lane as nothing is live yet: release it first`);
  if (release !== undefined && !isOver(release.state.phase))
    return no(
      `Cannot roll revision ${name} into the live lane as release ${release.id} is ${release.state.phase.kind}`,
    );
  if (head.lanes[otherLane(live)] !== undefined)
    return no(
      `Cannot roll revision ${name} into the live lane as the version before it is kept warm in lane ${otherLane(live)}`,
    );
  if (before.id === request.revision.id) return { kind: 'begun', head, lane: live, before };
  const refused = refusal(head, request);
  if (refused?.kind === 'refused') return refused;
  const { revision, actor, reason } = request;
  const begun: Rolling = { id: rolling?.id ?? head.nextRelease, revision, actor, reason, startedAt: now };
  return { kind: 'begun', head: { ...head, rolling: begun, nextRelease: begun.id + 1 }, lane: live, before };
}

function no(text: string): BegunRoll {
  return { kind: 'refused', code: 'REFUSED', text };
}

/** How it ended. `isBad`: the revision does not come back by itself. */
export type RollEnd = { readonly outcome: Ended['outcome']; readonly text: string; readonly isBad: boolean };

/** The record of its end; without one that began there is none. */
export function endRoll(head: Head, { outcome, text, isBad }: RollEnd, now: Instant): Head {
  const { rolling, live } = head;
  if (rolling === undefined || live === undefined) return head;
  const { id, revision, actor, startedAt } = rolling;
  const ended: Ended = {
    id,
    revision: revision.id,
    commit: revision.commit,
    strategy: 'rolling',
    actor,
    startedAt,
    endedAt: now,
    outcome,
    text,
  };
  const others = head.revisions.filter((one) => one.id !== revision.id);
  const bad = { revision: revision.id, release: id, text };
  return {
    ...head,
    rolling: undefined,
    history: [...head.history, ended].slice(-recordsMax),
    ...(outcome === 'promoted' && {
      lanes: { ...head.lanes, [live]: revision },
      revisions: [...others, revision].slice(-revisionsMax),
    }),
    ...(isBad && { quarantined: [...head.quarantined, bad].slice(-recordsMax) }),
  };
}
