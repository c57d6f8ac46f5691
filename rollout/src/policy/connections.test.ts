import { expect, test } from '@jest/globals';
import { instant, type Lane } from '../lane.ts';
import { connectionCommands } from './connections.ts';
import type { Look } from './look.ts';
import type { Phase } from './phase.ts';
import type { Plan, Release } from './release.ts';

const minuteMs = 60_000;

/** The commands `sec` seconds after time 0, in a release from blue to green. */
function at(sec: number, phase: Phase, { plan = {} as Partial<Plan>, green = 0, proxies = 1 } = {}) {
  const of = { connectionGraceMs: 10_000, watchMs: 10 * minuteMs, keepWarmMs: 30 * minuteMs, ...plan };
  const release = { candidate: 'green', former: 'blue', plan: of } as unknown as Release;
  const lane = { workload: { proxies: { present: proxies } } };
  const weights = phase.kind === 'rollingBack' ? { blue: 100 - green, green } : { blue: 0, green: 100 };
  const look = { now: instant(sec * 1_000), weights, lanes: { blue: lane, green: lane } } as unknown as Look;
  return connectionCommands(release, phase, look);
}

const close = (lane: Lane, sec: number) => [{ kind: 'closeConnections', lane, olderThanMs: sec * 1_000 }];
const back = (stage: 'closing' | 'draining' | 'retiring', sinceSec: number): Phase => ({
  kind: 'rollingBack',
  stage,
  reason: { kind: 'verdict', text: 'failed' },
  since: instant(sinceSec * 1_000),
  fencedAt: stage === 'closing' ? undefined : instant(0),
  lentAt: undefined,
  drainMs: undefined,
});
const watching: Phase = { kind: 'watching', since: instant(0) };

test("connectionCommands() closes the candidate's once its grace after weight 0 is over, until its proxies are gone", () => {
  expect(at(9.9, back('draining', 4))).toEqual([]);
  expect(at(10, back('draining', 4))).toEqual(close('green', 10));
  expect(at(14, back('retiring', 13))).toEqual(close('green', 14));
  expect(at(14, back('retiring', 13), { proxies: 0 })).toEqual([]);
});

test('connectionCommands() closes none of a candidate whose weight is not seen to be 0', () => {
  expect(at(60, back('closing', 0))).toEqual([]);
  expect(at(60, back('draining', 4), { green: 5 })).toEqual([]);
});

test("connectionCommands() closes the former lane's five minutes after the promotion", () => {
  expect(at(299, watching)).toEqual([]);
  expect(at(300, watching)).toEqual(close('blue', 300));
  expect(at(302, watching)).toEqual(close('blue', 302));
  expect(at(303, watching)).toEqual([]);
});

test.each([
  { watchSec: 30, expected: close('blue', 30) },
  { watchSec: 300, expected: close('blue', 300) },
  { watchSec: 600, expected: [] },
])(
  'connectionCommands() of a watch of $watchSec s closes at its end what is not closed yet',
  ({ watchSec, expected }) => {
    const plan = { watchMs: watchSec * 1_000 };
    const warmUntil = instant(30 * minuteMs);

    expect(at(watchSec, { kind: 'promoted', since: instant(watchSec * 1_000), warmUntil }, { plan })).toEqual(expected);
    expect(at(watchSec + 1, { kind: 'promoted', since: instant(watchSec * 1_000), warmUntil }, { plan })).toEqual([]);
  },
);

test('connectionCommands() has none for a release that was begun before there was a grace', () => {
  expect(at(60, back('draining', 4), { plan: { connectionGraceMs: undefined } })).toEqual([]);
});
