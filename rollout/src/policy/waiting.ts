import type { ReleaseSpec } from '../spec.ts';
import { isOver } from './phase.ts';
import type { Head, ReleaseRequest, Waiting, WishAnswer } from './release.ts';

/** A release waits for the running one. The newest wins; the one that waited before is told so. */
export function noteWaiting(head: Head, orders: readonly Waiting[]): Head {
  const newest = orders.at(-1);
  if (newest === undefined) return head;
  const older = [...(head.waiting === undefined ? [] : [head.waiting]), ...orders.slice(0, -1)];
  const answers = older.map(
    ({ id }): WishAnswer => ({ id, kind: 'superseded', text: 'a newer release took its place in the queue' }),
  );
  return { ...head, waiting: newest, answers: [...head.answers, ...answers].slice(-50) };
}

/** Why the running release is to be rolled back for `request`; `undefined`: the request waits for its end, or there is none. */
export function reasonToMakeRoom(
  { release }: Head,
  request: Pick<ReleaseRequest, 'hotfix' | 'reason' | 'revision'>,
  onNewCommit: ReleaseSpec['onNewCommit'],
): string | undefined {
  if (release === undefined) return undefined;
  const { phase, live } = release.state;
  if (isOver(phase) || phase.kind === 'rollingBack' || phase.kind === 'returning') return undefined;
  if (release.revision.id === request.revision.id) return undefined;
  if (request.hotfix) return `hotfix: ${request.reason}`;
  // Once it is promoted it is what users have: the next one waits for the end of the watch.
  const isPromoted = live === release.candidate;
  return onNewCommit === 'supersede' && !isPromoted
    ? `superseded by revision ${request.revision.id.slice(0, 8)}`
    : undefined;
}
