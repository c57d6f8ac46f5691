import { describe, expect, test } from '@jest/globals';
import { instant } from '../lane.ts';
import { newPlay, perform } from '../simulate/play.ts';
import { look, seesAll } from '../simulate/see.ts';
import type { Adoption } from '../spec.ts';
import { backNext } from './back.ts';
import { commandsOf } from './commands.ts';
import { type Look, noEvidence, type QueueLook } from './look.ts';
import type { Phase } from './phase.ts';

const startSec = 1_000;

/** A release of green beside blue, in this phase, with this to see of the queues. */
function at(
  phase: Phase,
  {
    green,
    blue,
    adopt = 'bind',
    sec = startSec,
  }: {
    green: Partial<QueueLook>;
    blue?: Partial<QueueLook>;
    adopt?: Adoption;
    sec?: number;
  },
) {
  const play = newPlay();
  for (const line of ['live v1', 'release v2', 'until starting']) perform(play, line);
  const { release } = play.head;
  if (release === undefined) throw new Error('no release');
  const seen = look(play.world, play.memory, noEvidence, [], seesAll);
  const lane = (name: 'blue' | 'green', queue: Partial<QueueLook> | undefined): Look['lanes']['blue'] => {
    const { queue: own, ...rest } = seen.lanes[name];
    return { ...rest, queue: own && { ...own, ...queue } };
  };
  return {
    release: { ...release, plan: { ...release.plan, adopt }, state: { ...release.state, phase } },
    look: { ...seen, now: instant(1_000 * sec), lanes: { blue: lane('blue', blue), green: lane('green', green) } },
  };
}

const since = instant(1_000 * startSec);
const closing: Phase = { kind: 'closing', since };
const back = (stage: 'binding' | 'draining', drainMs: number | undefined): Extract<Phase, { kind: 'rollingBack' }> => ({
  kind: 'rollingBack',
  stage,
  reason: { kind: 'verdict', text: 'failed' },
  since,
  fencedAt: since,
  lentAt: undefined,
  drainMs,
});
const left: Partial<QueueLook> = { messages: 3, dead: 2, drained: false, deliveredStreamSeq: 40, waiting: true };

describe('messages that no worker will get any more', () => {
  test.each([
    { where: 'what an earlier release left', phase: closing },
    { where: 'the backlog that live works off', phase: back('draining', 60_000) },
  ])('of $where go to the dead letters before all else is done', ({ phase }) => {
    const commands = (adopt: Adoption, dead: number) => {
      const { release, look: seen } = at(phase, { green: { ...left, dead }, adopt });
      return commandsOf(release, seen).filter(({ kind }) => kind === 'disposeDead');
    };
    const disposed = [{ kind: 'disposeDead', lane: 'green', upToStreamSeq: 40 }];

    expect([commands('bind', 2), commands('redeploy', 2)]).toEqual([disposed, disposed]);
    expect([commands('bind', 0), commands('redeploy', 0)]).toEqual([[], []]);
  });
});

describe('what an earlier release left, with deadLetterBacklog', () => {
  const commands = (green: Partial<QueueLook>, { blue = {}, sec = startSec, present = 0 } = {}) => {
    const { release, look: seen } = at(closing, { green: { ...left, dead: 0, lastSeq: 41, ...green }, blue, sec });
    const lanes = { ...seen.lanes };
    const { workload } = lanes.green;
    lanes.green = {
      ...lanes.green,
      workload: workload && { ...workload, workers: { ...workload.workers, present } },
    };
    const plan = { ...release.plan, deadLetterBacklog: true };
    return commandsOf({ ...release, plan }, { ...seen, lanes }).map(({ kind }) => kind);
  };
  const alone = { blue: { sources: ['blue'] } } as const;

  test('is answered once no worker gets it any more', () => {
    expect(commands({ sources: ['green'] }, { blue: { sources: ['blue', 'green'] } })).toEqual([
      'setSources',
      'setSources',
      'fence',
    ]);
    expect(commands({ sources: [] }, { ...alone, present: 1 })).toEqual(['fence', 'scale']);
    expect(commands({ sources: [] }, alone)).toEqual(['fence', 'answerLeft']);
  });

  test('is answered beside a worker that does not go, when a fence has passed', () => {
    expect(commands({ sources: [] }, { ...alone, present: 1, sec: startSec + 20 })).toEqual([
      'fence',
      'scale',
      'answerLeft',
    ]);
  });
});

describe('the time for the backlog', () => {
  test("is set by live's pace when live has taken it over", () => {
    const { release, look: seen } = at(back('binding', undefined), {
      green: { messages: 4_000, waiting: true, dead: 0 },
      blue: { sources: ['blue', 'green'], donePerSec: 100, ackWaitMs: 10_000 },
    });

    expect(backNext(release, back('binding', undefined), seen).phase).toMatchObject({
      stage: 'draining',
      drainMs: 100_000,
    });
  });

  test.each([
    { sec: 99, drainMs: 100_000, kind: 'rollingBack' },
    { sec: 100, drainMs: 100_000, kind: 'rolledBack' },
    { sec: 59, drainMs: undefined, kind: 'rollingBack' },
    { sec: 60, drainMs: undefined, kind: 'rolledBack' },
  ])('that was $drainMs ms: after $sec s it is $kind', ({ sec, drainMs, kind }) => {
    const phase = back('draining', drainMs);
    const { release, look: seen } = at(phase, { green: { ...left, dead: 0 }, sec: startSec + sec });

    expect(backNext(release, phase, seen).phase).toMatchObject(
      kind === 'rolledBack' ? { kind, backlog: 3 } : { kind, stage: 'draining' },
    );
  });
});
