import { expect, test } from '@jest/globals';
import { instant, type Lane } from '../lane.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { look, seesAll } from '../simulate/see.ts';
import { commandsOf } from './commands.ts';
import { type Look, noEvidence, type WorkloadLook } from './look.ts';
import type { Phase } from './phase.ts';

/** What is asked of the autoscalers of blue, live until it is green's turn, and of green, while both are as said. */
function asked(phase: Phase, autoscaler: WorkloadLook['autoscaler']): readonly string[] {
  const play = newPlay();
  for (const line of ['live v1', 'release v2 bake=9s', 'verdict hold progress=0.5', 'until holding (step 1)'])
    perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  const seen = look(play.world, play.memory, noEvidence, [], seesAll);
  const as = (lane: Lane): Look['lanes'][Lane] => {
    const { workload } = seen.lanes[lane];
    return { ...seen.lanes[lane], workload: workload && { ...workload, autoscaler } };
  };
  const live = phase.kind === 'watching' ? 'green' : 'blue';
  const commands = commandsOf(
    { ...release, state: { ...release.state, phase, live } },
    { ...seen, lanes: { blue: as('blue'), green: as('green') } },
  );
  return commands.flatMap((command) =>
    ['scale', 'keep', 'letGo'].includes(command.kind) && 'lane' in command ? [`${command.kind} ${command.lane}`] : [],
  );
}

const since = instant(0);
const reason = { kind: 'person', text: 'kim' } as const;

test.each<{ phase: Phase; held: string[]; lowered: string[] }>([
  { phase: { kind: 'holding', step: 1, since }, held: [], lowered: ['scale green', 'keep blue'] },
  { phase: { kind: 'promoting', since }, held: [], lowered: ['scale green', 'keep blue'] },
  { phase: { kind: 'watching', since }, held: ['letGo green'], lowered: ['keep blue', 'letGo green'] },
  {
    phase: {
      kind: 'rollingBack',
      stage: 'unbinding',
      reason,
      since,
      fencedAt: since,
      lentAt: undefined,
      drainMs: undefined,
    },
    held: ['letGo blue'],
    lowered: ['letGo blue'],
  },
])(
  'in $phase.kind an autoscaler that somebody has lowered is raised again, and let go as any other',
  ({ phase, held, lowered }) => {
    expect(asked(phase, 'held')).toEqual(held);
    expect(asked(phase, 'lowered')).toEqual(lowered);
  },
);
