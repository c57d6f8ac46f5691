import { expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { newPlay, perform } from '../simulate/play.ts';
import type { LaneSeen } from '../workload/workload.ts';
import { laneLook, newLaneMemory } from './lane-look.ts';

/** Looks at a lane one after another: whether its proxy is ready at that second. */
function looks(...sights: readonly (readonly [sec: number, isReady: boolean])[]) {
  const play = newPlay();
  for (const line of ['live v1', 'release v2']) perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  const names = [...Object.keys(release.plan.proxies), ...Object.keys(release.plan.workers)];
  let memory = newLaneMemory();
  return sights.map(([sec, isReady]) => {
    const ready = isReady ? 1 : 0;
    const services = Object.fromEntries(
      names.map((name) => [name, { wanted: 1, ready, present: 1, stale: 0, failure: undefined }]),
    );
    const seen: LaneSeen = { revision: undefined, services, autoscaler: 'none', labels: undefined };
    const [look, after] = laneLook(release, seen, memory, false, instant(1_000 * sec));
    memory = after;
    return { downMs: look.downMs, stands: look.stands };
  });
}

test('a lane stands at the first look at it', () => {
  expect(looks([0, true])).toEqual([{ downMs: 0, stands: true }]);
});

test('a lane that comes back stands a second later: it is no better than another that comes back with it', () => {
  expect(looks([0, false], [90, false], [90.5, true], [91, true])).toEqual([
    { downMs: 1, stands: false },
    { downMs: 90_000, stands: false },
    { downMs: 0, stands: false },
    { downMs: 0, stands: true },
  ]);
});
