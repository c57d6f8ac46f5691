import type { Lane } from '../lane.ts';
import type { Revision } from '../revision.ts';
import { decide, interrupt } from './decide.ts';
import { lookOnRecord } from './last-words.ts';
import type { Look } from './look.ts';
import type { Decision, DecisionRecord, Ended, Head, Release } from './release.ts';

/** One turn of the loop, before anything is done: what the journal shall say, and what to do then. */
export type Turn = { readonly head: Head; readonly decision: Decision; readonly changed: boolean };

/** Of each list of the head. */
export const recordsMax = 50;
export const revisionsMax = 5;

/** @param release the head's own release, which must be there */
export function turn(head: Head, release: Release, look: Look): Turn {
  return apply(head, release, look, decide(release, look));
}

/** The last turn of a driver that was told to go. */
export function lastTurn(head: Head, release: Release, look: Look): Turn {
  return apply(head, release, look, interrupt(release, look));
}

/** Takes a recorded decision again. Equal to `after` and `commands` of the record, or the journal lies. */
export function replay(record: DecisionRecord, release: Release): Decision {
  const before = { ...release, state: record.before };
  return record.after.phase.kind === 'interrupted' ? interrupt(before, record.look) : decide(before, record.look);
}

function apply(head: Head, release: Release, look: Look, decision: Decision): Turn {
  const { state, answers } = decision;
  const moved = (['phase', 'held', 'live', 'peak', 'pins'] as const).some(
    (part) => state[part] !== release.state[part],
  );
  if (!moved && answers.length === 0) return { head, decision, changed: false };
  const after: Release = { ...release, state };
  const record: DecisionRecord = {
    release: release.id,
    look: lookOnRecord({ look, before: release.state, after: state }),
    before: release.state,
    after: state,
    commands: decision.commands,
    why: decision.why,
  };
  return {
    decision,
    changed: true,
    head: {
      ...head,
      release: after,
      live: state.live,
      lanes: lanesAfter(head, after),
      decisions: moved ? [...head.decisions, record].slice(-recordsMax) : head.decisions,
      answers: [...head.answers, ...answers].slice(-recordsMax),
      ...endingOf(head, release, after, decision.why),
    },
  };
}

function lanesAfter(head: Head, release: Release): Head['lanes'] {
  const put = (lane: Lane, revision: Revision | undefined) => ({ ...head.lanes, [lane]: revision });
  switch (release.state.phase.kind) {
    case 'starting':
      return put(release.candidate, release.revision);
    case 'rolledBack':
      return put(release.candidate, undefined);
    case 'retired':
      return release.former === undefined ? head.lanes : put(release.former, undefined);
    default:
      return head.lanes;
  }
}

/** What only the first look at an end adds: history, the list of good revisions, quarantine. */
function endingOf(head: Head, before: Release, after: Release, why: string): Partial<Head> {
  const { phase } = after.state;
  if (phase === before.state.phase) return {};
  if (phase.kind === 'watching' || (phase.kind === 'promoted' && after.former === undefined)) {
    const others = head.revisions.filter(({ id }) => id !== after.revision.id);
    const revisions = { revisions: [...others, after.revision].slice(-revisionsMax) };
    return phase.kind === 'promoted'
      ? { ...revisions, history: withEnd(head, after, 'promoted', why) }
      : { ...revisions, ...restoredFrom(head, after) };
  }
  if (phase.kind === 'promoted') return { history: withEnd(head, after, 'promoted', why) };
  if (phase.kind !== 'rolledBack') return {};
  const entry = { revision: after.revision.id, release: after.id, text: phase.reason.text };
  return {
    history: withEnd(head, after, 'rolledBack', phase.reason.text),
    quarantined: [...head.quarantined.filter(({ revision }) => revision !== entry.revision), entry].slice(-recordsMax),
  };
}

/** Going back after keepWarm quarantines the version that it replaces, as any other rollback does. */
function restoredFrom(head: Head, release: Release): Partial<Head> {
  const bad = release.former === undefined ? undefined : head.lanes[release.former];
  if (release.plan.strategy !== 'restore' || bad === undefined) return {};
  return {
    quarantined: [...head.quarantined, { revision: bad.id, release: release.id, text: release.reason }].slice(
      -recordsMax,
    ),
  };
}

function withEnd(head: Head, release: Release, outcome: Ended['outcome'], text: string): readonly Ended[] {
  const ended: Ended = {
    id: release.id,
    revision: release.revision.id,
    commit: release.revision.commit,
    strategy: release.plan.strategy,
    actor: release.actor,
    startedAt: release.startedAt,
    endedAt: release.state.phase.since,
    outcome,
    text,
  };
  return [...head.history.filter(({ id }) => id !== release.id), ended].slice(-recordsMax);
}
