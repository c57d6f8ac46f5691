import type { Instant } from '../lane.ts';
import type { HoldReason } from '../policy/phase.ts';
import type { Decision, Release } from '../policy/release.ts';
import type { Emit } from './occurrence.ts';

/** Tells why a release does not go on, to whoever reads no journal. */
export interface Holds {
  note(release: Release, decision: Decision, at: Instant): void;
}

/** The same reason is not told more often, however often it comes and goes. */
const againMinMs = 30_000;
/** One that stays is told again: an API server forgets an Event after an hour. */
const remindMs = 30 * 60_000;

/** Other words of these are news; those of the others are other ones at every look. */
const wordsMatter: readonly HoldReason[] = ['unconfirmed', 'starting', 'foreign-writer', 'capacity'];

/** A reason that was told too short a time ago waits, so that the last one told is the one that stays. */
export function makeHolds(emit: Emit): Holds {
  const toldAt = new Map<HoldReason, Instant>();
  let last: string | undefined;
  return {
    note(release, { hold, why, state }, at) {
      if (hold === undefined) {
        last = undefined;
        return;
      }
      const news = wordsMatter.includes(hold) ? `${hold} ${why}` : hold;
      const sinceMs = at - (toldAt.get(hold) ?? Number.NEGATIVE_INFINITY);
      if (sinceMs < (news === last ? remindMs : againMinMs)) return;
      last = news;
      toldAt.set(hold, at);
      emit({ kind: 'held', at, release: { ...release, state }, reason: hold, why });
    },
  };
}
