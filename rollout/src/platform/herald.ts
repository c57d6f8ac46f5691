import { withDeadline } from '../deadline.ts';
import type { Occurrence } from '../engine/occurrence.ts';
import { isExpected } from '../policy/phase.ts';
import { phaseText } from '../report/status.ts';

/** Shows decisions, and what holds them up, to people who look with the platform's own tools. Aid, not record: nothing waits for it but the end of a process. */
export interface Herald extends AsyncDisposable {
  readonly emit: (occurrence: Occurrence) => void;
}

export type Told = {
  readonly at: Date;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** One sentence. */
  readonly note: string;
};

type Heralding = {
  readonly write: (told: Told, signal: AbortSignal) => Promise<void>;
  /** Hears of what could not be told. */
  readonly failed: (error: unknown) => void;
  readonly closeMaxMs?: number;
};

/** Of those that wait: whatever is away takes no memory. */
const waitingMax = 100;
const writeMaxMs = 5_000;
const closeMaxMsDefault = 5_000;

/**
 * Tells one after the other, in the order in which things happened, and beside the driver's work. What waits is bounded, the oldest
 * gives way; a failure is told once until something is decided. Closing waits for the rest, at most 5 s.
 */
export function openHerald({ write, failed, closeMaxMs = closeMaxMsDefault }: Heralding): Herald {
  const waiting: Told[] = [];
  const failures = new Set<string>();
  const gone = new AbortController();
  let lost = 0;
  let telling: Promise<void> | undefined;

  async function tellAll(): Promise<void> {
    while (!gone.signal.aborted) {
      const told = waiting.shift();
      if (told === undefined) break;
      await write(told, withDeadline(gone.signal, writeMaxMs)).catch(failed);
    }
    telling = undefined;
  }

  return {
    emit(occurrence) {
      const told = wordsOf(occurrence);
      if (told === undefined || gone.signal.aborted) return;
      if (occurrence.kind === 'decided') failures.clear();
      else if (failures.has(told.note)) return;
      else if (occurrence.kind === 'commandFailed' && failures.size < waitingMax) failures.add(told.note);
      if (waiting.length >= waitingMax) {
        waiting.shift();
        lost++;
      }
      waiting.push(told);
      telling ??= tellAll();
    },
    async [Symbol.asyncDispose]() {
      const late = setTimeout(() => gone.abort(), closeMaxMs);
      await telling;
      clearTimeout(late);
      gone.abort();
      lost += waiting.length;
      if (lost > 0) failed(new Error(`${lost} decisions and failures were not told in time`));
    },
  };
}

function wordsOf(occurrence: Occurrence): Told | undefined {
  switch (occurrence.kind) {
    case 'decided': {
      const { release, decision, at } = occurrence;
      const { kind } = decision.state.phase;
      const back = kind === 'rollingBack' || kind === 'returning' || kind === 'rolledBack';
      const where = phaseText({ ...release, state: decision.state }, at).replace(/ for 0 s$/, '');
      return {
        at: new Date(at),
        type: back ? 'Warning' : 'Normal',
        reason: kind.charAt(0).toUpperCase() + kind.slice(1),
        note: `release ${release.id} ${where}: ${decision.why}`,
      };
    }
    case 'held': {
      const { release, reason, why, at } = occurrence;
      return {
        at: new Date(at),
        type: isExpected(reason) ? 'Normal' : 'Warning',
        reason: 'Held',
        note: `release ${release.id} ${phaseText(release, at)} · held (${reason}): ${why}`,
      };
    }
    case 'commandFailed':
      return {
        at: new Date(occurrence.at),
        type: 'Warning',
        reason: 'CommandFailed',
        note: `${occurrence.command}: ${occurrence.message}`,
      };
    case 'unseen':
    case 'looked':
      return undefined;
  }
}
