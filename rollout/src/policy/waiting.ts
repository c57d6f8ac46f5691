import type { Revision } from '../revision.ts';
import type { ReleaseSpec } from '../spec.ts';
import { isBehind } from './ancestry.ts';
import { isOver } from './phase.ts';
import type { Head, Order, Waiting, WishAnswer } from './release.ts';

const answersMax = 50;

/**
 * A release waits for the running one. The newest wins, and the one that waited before is told so; one of the revision that runs, or that
 * waits already, joins it: whoever ordered it hears the same end. An older commit takes no newer one's place. A way back
 * comes before all others, and none waits behind it. Orders that were noted before change nothing.
 */
export function noteWaiting(head: Head, orders: readonly Waiting[]): Head {
  return orders.reduce(noteOne, head);
}

function noteOne(head: Head, order: Waiting): Head {
  const { waiting, release, answers } = head;
  if (order.withdraws !== undefined) return without(head, order.withdraws);
  const known = waiting === undefined ? [] : idsOf(waiting);
  if (known.includes(order.id) || answers.some(({ id }) => id === order.id)) return head;
  if (release !== undefined && !isOver(release.state.phase) && isSame(order, release.revision)) {
    const text = `release ${release.id} of this revision is running already`;
    return withAnswers(head, [{ id: order.id, kind: 'begun', text, release: release.id }]);
  }
  if (waiting?.order.restores === true && !order.order.restores)
    return withAnswers(head, [wayBackFirst(order.id, waiting)]);
  if (waiting !== undefined && isSame(order, waiting.order.request.revision))
    return { ...head, waiting: { ...order, joined: known } };
  const isFirst = order.order.restores && waiting?.order.restores === false;
  if (
    waiting !== undefined &&
    !isFirst &&
    isBehind(order.order.request.revision.commit, waiting.order.request.ancestry)
  ) {
    return withAnswers(head, [{ id: order.id, kind: 'superseded', text: supersededBy(waiting) }]);
  }
  const text = supersededBy(order);
  return {
    ...withAnswers(
      head,
      known.map((id) => (isFirst ? wayBackFirst(id, order) : { id, kind: 'superseded', text })),
    ),
    waiting: order,
  };
}

/** The answer keeps a wish that is heard again from waiting again. */
function without(head: Head, wish: string): Head {
  const { waiting, answers } = head;
  if (answers.some(({ id }) => id === wish)) return head;
  const left = withAnswers(head, [{ id: wish, kind: 'done', text: 'it was taken back' }]);
  if (waiting === undefined || !idsOf(waiting).includes(wish)) return left;
  const [id, ...joined] = idsOf(waiting).filter((other) => other !== wish);
  return { ...left, waiting: id === undefined ? undefined : { ...waiting, id, joined } };
}

function supersededBy({ order }: Waiting): string {
  const { commit, id } = order.request.revision;
  return `superseded by ${commit === undefined ? `revision ${id.slice(0, 8)}` : `commit ${commit.slice(0, 8)}`}, which waits in its place`;
}

/** No newer commit has what it brings, as with one that is superseded: whoever ordered it must order it again. */
function wayBackFirst(id: string, { order }: Waiting): WishAnswer {
  const rule = `the way back to revision ${order.request.revision.id.slice(0, 8)} comes first`;
  return {
    id,
    kind: 'refused',
    text: `Cannot wait for the running release as ${rule}: release again when that has ended`,
  };
}

/** All who wait for it. */
export function idsOf({ id, joined = [] }: Waiting): readonly string[] {
  return [...joined, id];
}

export function withAnswers(head: Head, answers: readonly WishAnswer[]): Head {
  return { ...head, answers: [...head.answers, ...answers].slice(-answersMax) };
}

function isSame({ order }: Waiting, { id }: Revision): boolean {
  return order.request.revision.id === id;
}

/** Why the running release is to be rolled back for an order; `undefined`: the order waits for its end, or there is none. */
export function reasonToMakeRoom(
  { release }: Head,
  { request, restores }: Pick<Order, 'request' | 'restores'>,
  onNewCommit: ReleaseSpec['onNewCommit'],
): string | undefined {
  if (release === undefined) return undefined;
  const { phase, live } = release.state;
  if (isOver(phase) || ['rollingBack', 'returning', 'retiring'].includes(phase.kind)) return undefined;
  if (release.revision.id === request.revision.id) return undefined;
  if (restores) return request.reason;
  if (request.hotfix) return `hotfix: ${request.reason}`;
  // Once it is promoted it is what users have: the next one waits for the end of the watch.
  const isPromoted = live === release.candidate;
  const isNewer = request.ancestry === 'unknown' || isBehind(release.revision.commit, request.ancestry);
  return onNewCommit === 'supersede' && !isPromoted && isNewer
    ? `superseded by revision ${request.revision.id.slice(0, 8)}`
    : undefined;
}
