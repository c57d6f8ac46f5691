import { expect, test } from '@jest/globals';
import { openMemoryJournal } from '../journal/memory.ts';
import { instant } from '../lane.ts';
import type { WishSeen } from '../policy/look.ts';
import { emptyHead, type Head, type RolePin } from '../policy/release.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { hear, unheard } from './wishes.ts';

const wish = (id: string): WishSeen => ({
  id,
  act: 'hold',
  release: undefined,
  step: undefined,
  actor: 'kim',
  reason: '',
});

test('unheard() leaves out what the journal has answered, and pins that the router has yet to confirm', () => {
  const play = newPlay();
  for (const line of ['live v1', 'release v2']) perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  const pin: RolePin = {
    header: 'X-Team',
    value: 'qa',
    to: { kind: 'live' },
    actor: 'kim',
    reason: '',
    since: instant(0),
    test: false,
    wish: 'pending',
  };
  const head: Head = {
    ...play.head,
    answers: [{ id: 'answered', kind: 'done', text: '' }],
    release: { ...release, state: { ...release.state, pins: [pin] } },
  };

  expect(unheard(['answered', 'pending', 'new'].map(wish), head)).toEqual([wish('new')]);
  expect(unheard([wish('new')], emptyHead('a'))).toEqual([wish('new')]);
});

test.each([{ kind: 'freeze' }, { kind: 'release' }, 'rollback', null])(
  'hear() refuses %j, and takes it for no order',
  async (act) => {
    const { wishes } = openMemoryJournal();
    const signal = AbortSignal.timeout(1_000);
    const id = await wishes.add({ act, actor: 'kim', at: 0 }, signal);

    await expect(hear(wishes, signal)).resolves.toMatchObject({
      forRelease: [],
      waiting: [],
      unknown: [{ id, kind: 'refused' }],
      ids: [id],
    });
  },
);
