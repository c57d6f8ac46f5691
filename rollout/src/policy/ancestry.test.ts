import { describe, expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { aSpec, orderOf, revisionNamed } from '../simulate/named.ts';
import { type Ancestry, standsTo } from './ancestry.ts';
import { refusal } from './begin.ts';
import { emptyHead, type Head, type Release, type Waiting } from './release.ts';
import { noteWaiting, reasonToMakeRoom } from './waiting.ts';

/** A history in which each commit has all before it. */
const line = ['c1', 'c2', 'c3', 'c4'];

function ancestryOf(commit: string, live: string): Ancestry {
  const [from, to] = [line.indexOf(live), line.indexOf(commit)];
  const ahead = line.slice(from + 1, to + 1).reverse();
  return { live, stands: to >= from ? 'descends' : 'older', ahead };
}

const at = (commit: string) => ({ ...revisionNamed(commit), commit });
const asks = (commit: string, live: string) => ({ ...orderOf(at(commit)), ancestry: ancestryOf(commit, live) });
const headWith = (live: string): Head => ({
  ...emptyHead('test'),
  live: 'blue',
  lanes: { blue: at(live), green: undefined },
});

describe('standsTo()', () => {
  test.each([
    { what: 'live as it was', live: 'c1', ancestry: ancestryOf('c3', 'c1'), stands: 'descends' },
    { what: 'live as it was, and newer', live: 'c3', ancestry: ancestryOf('c2', 'c3'), stands: 'older' },
    {
      what: 'an older merge that went live meanwhile',
      live: 'c2',
      ancestry: ancestryOf('c3', 'c1'),
      stands: 'descends',
    },
    { what: 'a newer merge that went live meanwhile', live: 'c4', ancestry: ancestryOf('c3', 'c1'), stands: 'older' },
    {
      what: 'images of no commit that went live meanwhile',
      live: undefined,
      ancestry: ancestryOf('c3', 'c1'),
      stands: 'unknown',
    },
    { what: 'a commit whose place nobody knows', live: 'c1', ancestry: 'unknown', stands: 'unknown' },
  ] as const)('$what: $stands', ({ live, ancestry, stands }) => {
    expect(standsTo(live, ancestry)).toBe(stands);
  });
});

test('refusal() names an older commit that was asked for before a newer one went live', () => {
  expect(refusal(headWith('c3'), asks('c2', 'c1'))).toMatchObject({ kind: 'refused', code: 'REFUSED' });
  expect(refusal(headWith('c2'), asks('c3', 'c1'))).toBeUndefined();
});

const waits = (commit: string): Waiting => ({
  id: `wish-${commit}`,
  order: { request: asks(commit, 'c1'), spec: { release: aSpec } as Waiting['order']['spec'], restores: false },
});

test('noteWaiting() keeps the newest commit in the queue, whoever comes last', () => {
  for (const order of [
    ['c2', 'c3'],
    ['c3', 'c2'],
  ]) {
    const { waiting, answers } = noteWaiting(headWith('c1'), order.map(waits));

    expect(waiting?.id).toBe('wish-c3');
    const text = 'superseded by commit c3, which waits in its place';
    expect(answers).toMatchObject([{ id: 'wish-c2', kind: 'superseded', text }]);
  }
});

test('noteWaiting() forgets an order that is taken back, and nobody else who waits for the same revision', () => {
  const again = { ...waits('c2'), id: 'wish-again' };
  const back = (wish: string): Waiting => ({ ...waits('c2'), id: `back-${wish}`, withdraws: wish });
  const both = noteWaiting(headWith('c1'), [waits('c2'), again]);

  const one = noteWaiting(both, [back('wish-again')]);
  const none = noteWaiting(one, [back('wish-c2'), waits('c2')]);

  expect(one.waiting).toMatchObject({ id: 'wish-c2', joined: [] });
  expect(none.waiting).toBeUndefined();
  expect(none.answers.map(({ id, kind }) => [id, kind])).toEqual([
    ['wish-again', 'done'],
    ['wish-c2', 'done'],
  ]);
});

test('reasonToMakeRoom() rolls no newer commit back for an older one', () => {
  const running = (commit: string) => {
    const state = { phase: { kind: 'holding', step: 0, since: instant(0) }, live: 'blue' };
    return {
      ...headWith('c1'),
      release: { id: 1, revision: at(commit), candidate: 'green', state } as unknown as Release,
    };
  };

  const order = (commit: string) => ({ request: asks(commit, 'c1'), restores: false });
  expect(reasonToMakeRoom(running('c3'), order('c2'), 'supersede')).toBeUndefined();
  expect(reasonToMakeRoom(running('c2'), order('c3'), 'supersede')).toMatch(/^superseded/);
});
