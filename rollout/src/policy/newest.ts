import { isOver } from './phase.ts';
import type { Ended, Head } from './release.ts';

/** The rolling update that came last of all, at its end; `undefined` where a release came after it. */
export function lastRoll({ release, history }: Head): Ended | undefined {
  const last = history.at(-1);
  if (last?.strategy !== 'rolling') return undefined;
  return release === undefined || isOver(release.state.phase) ? last : undefined;
}

/** Number of the release or rolling update that came last; `undefined` before the first. */
export function newestIn(head: Head): number | undefined {
  return head.rolling?.id ?? lastRoll(head)?.id ?? head.release?.id;
}
