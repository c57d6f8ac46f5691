import { lanes } from '../lane.ts';
import type { LaneLook, Look } from './look.ts';
import type { Phase } from './phase.ts';
import type { DecisionRecord, Head } from './release.ts';

type Turning = Pick<DecisionRecord, 'look' | 'before' | 'after'>;

/**
 * What the instance said last that a release went back for, oldest line first. None where it went back for something else, where nothing
 * was said, or where the decision is not on record any more.
 */
export function lastWordsIn({ decisions }: Pick<Head, 'decisions'>, release: number): readonly string[] {
  const turned = decisions.findLast((one) => one.release === release && isForInstance(one));
  if (turned === undefined) return [];
  const { before, look } = turned;
  const wasPromoted = before.phase.kind === 'watching' || before.phase.kind === 'promoted';
  const own = lanes.filter((lane) => (lane === before.live) === wasPromoted);
  return own.flatMap((lane) => look.lanes[lane].workload?.logLines ?? []);
}

/** A look as it is recorded: a head has room for fifty, and these lines explain one decision alone. */
export function lookOnRecord(turning: Turning): Look {
  const { blue, green } = turning.look.lanes;
  return isForInstance(turning)
    ? turning.look
    : { ...turning.look, lanes: { blue: silent(blue), green: silent(green) } };
}

function silent(look: LaneLook): LaneLook {
  return { ...look, workload: look.workload && { ...look.workload, logLines: undefined } };
}

function isForInstance({ before, after }: Omit<Turning, 'look'>): boolean {
  const kind = reasonOf(after.phase)?.kind;
  return (kind === 'start' || kind === 'unready') && reasonOf(before.phase) === undefined;
}

function reasonOf(phase: Phase) {
  return phase.kind === 'rollingBack' || phase.kind === 'returning' ? phase.reason : undefined;
}
