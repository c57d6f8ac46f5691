import { expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import type { WishSeen } from '../policy/look.ts';
import { emptyHead, type Head, type RolePin } from '../policy/release.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { unheard } from './wishes.ts';

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
