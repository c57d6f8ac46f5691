import type { Head, WishAnswer } from './release.ts';

/** A release waits for the running one. The newest wins; the one that waited before is told so. */
export function noteWaiting(head: Head, wishIds: readonly string[]): Head {
  const newest = wishIds.at(-1);
  if (newest === undefined) return head;
  const older = [...(head.waiting === undefined ? [] : [head.waiting]), ...wishIds.slice(0, -1)];
  const answers = older.map(
    (id): WishAnswer => ({ id, kind: 'superseded', text: 'a newer release took its place in the queue' }),
  );
  return { ...head, waiting: newest, answers: [...head.answers, ...answers].slice(-50) };
}
