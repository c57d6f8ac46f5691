import { expect, test } from '@jest/globals';
import { instant, type Lane } from '../lane.ts';
import { labelCommands } from './labels.ts';
import type { LaneLabels, Look } from './look.ts';
import type { BackStage, Phase } from './phase.ts';
import type { Release } from './release.ts';

type Shown = Partial<Record<Lane, LaneLabels>>;

const before: Shown = { blue: { role: 'live', release: 6 }, green: { role: 'idle', release: 5 } };

/** What is said of each lane in a release, number 7, from blue to green. */
function said(phase: Phase, { shown = before, queue = true, isFirst = false } = {}) {
  const release = {
    id: 7,
    candidate: 'green',
    former: isFirst ? undefined : 'blue',
    plan: { queue },
  } as unknown as Release;
  const lane = (name: Lane) => ({ workload: { labels: shown[name] } });
  const look = { lanes: { blue: lane('blue'), green: lane('green') } } as unknown as Look;
  return labelCommands(release, phase, look).map((command) =>
    command.kind === 'label' ? `${command.lane} ${command.role} ${command.release}` : command.kind,
  );
}

const since = instant(0);
const reason = { kind: 'verdict', text: 'failed' } as const;
const back = (stage: BackStage): Phase => ({
  kind: 'rollingBack',
  stage,
  reason,
  since,
  fencedAt: undefined,
  lentAt: undefined,
  drainMs: undefined,
});

test.each<{ phase: Phase; expected: string[] }>([
  { phase: { kind: 'closing', since }, expected: [] },
  { phase: { kind: 'starting', since }, expected: ['green candidate 7'] },
  { phase: { kind: 'holding', step: 0, since }, expected: ['green candidate 7'] },
  { phase: { kind: 'promoting', since }, expected: ['green candidate 7'] },
  { phase: { kind: 'interrupted', since }, expected: ['green candidate 7'] },
  { phase: back('closing'), expected: [] },
  { phase: { kind: 'returning', reason, since }, expected: [] },
])('labelCommands() in $phase.kind says nothing of the live lane', ({ phase, expected }) => {
  expect(said(phase)).toEqual(expected);
});

test.each<{ phase: Phase; expected: string[] }>([
  { phase: { kind: 'watching', since }, expected: ['blue warm 6', 'green live 7'] },
  { phase: { kind: 'promoted', since, warmUntil: since }, expected: ['blue warm 6', 'green live 7'] },
  { phase: { kind: 'retiring', stage: 'draining', since }, expected: ['blue warm 6', 'green live 7'] },
  { phase: { kind: 'retiring', stage: 'workers', since }, expected: ['blue idle 6', 'green live 7'] },
  { phase: back('draining'), expected: ['blue adopting 6', 'green candidate 7'] },
  { phase: back('retiring'), expected: ['blue adopting 6', 'green idle 7'] },
  { phase: back('unbinding'), expected: ['green idle 7'] },
  { phase: { kind: 'rolledBack', reason, since, backlog: 3 }, expected: ['blue adopting 6', 'green idle 7'] },
  { phase: { kind: 'rolledBack', reason, since, backlog: 0 }, expected: ['green idle 7'] },
])('labelCommands() in $phase.kind $phase.stage follows the roles', ({ phase, expected }) => {
  expect(said(phase)).toEqual(expected);
});

test('labelCommands() repeats nothing that is shown, and says all of it again to who shows something else', () => {
  const watching: Phase = { kind: 'watching', since };
  expect(
    said(watching, { shown: { blue: { role: 'warm', release: 6 }, green: { role: 'live', release: 7 } } }),
  ).toEqual([]);
  expect(
    said(watching, {
      shown: { blue: { role: undefined, release: undefined }, green: { role: 'live', release: undefined } },
    }),
  ).toEqual(['blue warm undefined', 'green live 7']);
});

test('labelCommands() of a release that begins ends what an earlier one shows of an adoption', () => {
  const shown: Shown = { ...before, blue: { role: 'adopting', release: 6 } };

  expect(said({ kind: 'closing', since }, { shown })).toEqual([]);
  expect(said({ kind: 'starting', since }, { shown })).toEqual(['blue live 6', 'green candidate 7']);
});

test('labelCommands() has none where no label can be shown or seen', () => {
  expect(said({ kind: 'watching', since }, { shown: {} })).toEqual([]);
});

test('labelCommands() without a queue lets nobody adopt, and without a former lane speaks of one lane', () => {
  expect(said(back('retiring'), { queue: false })).toEqual(['green idle 7']);
  expect(said({ kind: 'watching', since }, { isFirst: true })).toEqual(['green live 7']);
});
