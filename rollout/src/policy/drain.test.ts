import { expect, test } from '@jest/globals';
import { drainMaxMs } from './drain.ts';

const live = (donePerSec: number | undefined, ackWaitMs = 10_000) => ({ donePerSec, ackWaitMs });

test.each([
  { what: 'a small backlog', backlog: 83, at: live(240), maxMs: 60_000 },
  { what: "a backlog of 40 s at live's pace", backlog: 4_000, at: live(100), maxMs: 100_000 },
  { what: 'a consumer that waits long for acks', backlog: 83, at: live(240, 60_000), maxMs: 120_692 },
  { what: 'a backlog of hours', backlog: 1_000_000, at: live(10), maxMs: 600_000 },
  { what: 'a live lane that was not seen to work', backlog: 4_000, at: live(undefined), maxMs: 60_000 },
  { what: 'a live lane that is not seen', backlog: 4_000, at: undefined, maxMs: 60_000 },
])('drainMaxMs() of $what is $maxMs ms', ({ backlog, at, maxMs }) => {
  expect(drainMaxMs(backlog, at)).toBe(maxMs);
});
