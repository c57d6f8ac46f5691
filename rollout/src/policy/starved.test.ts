import { expect, test } from '@jest/globals';
import { instant, percent, weightsFor } from '../lane.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { look, seesAll } from '../simulate/see.ts';
import { decide } from './decide.ts';
import { noEvidence } from './look.ts';

test('decide() goes back when a driver before has given the queue of a candidate with weight to live, whatever the judge says now', () => {
  const play = newPlay();
  for (const line of ['live v1', 'release v2 bake=9s', 'verdict hold progress=0.5', 'until holding (step 1)'])
    perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  play.world.lanes.green.sources = [];
  play.world.lanes.blue.sources = ['blue', 'green'];

  const seen = look(play.world, play.memory, { ...noEvidence, verdict: 'promote', progress: 1 }, [], seesAll);

  const { state, commands } = decide(release, seen);
  expect(state.phase).toMatchObject({ kind: 'rollingBack', since: instant(play.world.now), reason: { kind: 'guard' } });
  expect(commands).toContainEqual({ kind: 'setWeights', weights: weightsFor('blue', percent(100)) });
});
