import { expect, test } from '@jest/globals';
import { ramp } from './capacity.ts';
import { perfRule } from './rule.ts';

/** A server that answers so many requests each second, and fails this part of them. */
function aServer(most: number, failing = 0) {
  const asked: number[] = [];
  return {
    asked,
    send: async (perSecond: number) => {
      asked.push(perSecond);
      const achievedPerSecond = Math.min(perSecond, most);
      return {
        askedPerSecond: perSecond,
        achievedPerSecond,
        requests: perSecond,
        errors: perSecond * failing,
        timings: {},
      };
    },
  };
}

test('ramp() raises the rate by a quarter each time until it is not taken, and tells the highest that was', async () => {
  const server = aServer(1_600);

  expect(await ramp(1_000, perfRule, server.send)).toEqual({ perSecond: 1_563, isMore: false });
  expect(server.asked).toEqual([1_000, 1_250, 1_563, 1_954]);
});

test('ramp() tells of a version that does not take the first rate, or fails, and of one that never broke', async () => {
  expect(await ramp(1_000, perfRule, aServer(900).send)).toEqual({ perSecond: 0, isMore: false });
  expect(await ramp(1_000, perfRule, aServer(9_000, 0.01).send)).toEqual({ perSecond: 0, isMore: false });
  expect(await ramp(100, perfRule, aServer(9_000).send)).toEqual({ perSecond: 744, isMore: true });
});
