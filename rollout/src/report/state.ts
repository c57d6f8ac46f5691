/** What `status` says in one word, and to a script in its exit code. */
import { isBackFailed } from '../policy/back.ts';
import { lastRoll } from '../policy/newest.ts';
import type { HoldReason } from '../policy/phase.ts';
import type { FirstFacts, StatusFacts } from './status.ts';

/** Exit codes of `status`. */
export const statusCodes = { idle: 0, releasing: 3, held: 4, rolledBack: 5, rollbackFailed: 14 } as const;

export type StatusState = keyof typeof statusCodes;

/** Time alone does not end these. */
export const needsPerson: ReadonlySet<string> = new Set<HoldReason>([
  'deadline',
  'approval',
  'both-lanes-down',
  'foreign-writer',
]);

/** Without `hold`, which the evidence tells: a release that is held by anything but a person is `releasing`. */
export function statusState({ head, now, hold }: Partial<StatusFacts> & FirstFacts): StatusState {
  const release = head.release;
  if (head.rolling !== undefined) return 'releasing';
  const rolled = lastRoll(head);
  if (rolled !== undefined) return rolled.outcome === 'rolledBack' ? 'rolledBack' : 'idle';
  if (release === undefined) return 'idle';
  const { phase, held } = release.state;
  switch (phase.kind) {
    case 'rollingBack':
    case 'returning':
      return isBackFailed(release.state, hold?.reason as HoldReason | undefined, now) ? 'rollbackFailed' : 'releasing';
    case 'rolledBack':
      return 'rolledBack';
    case 'promoted':
    case 'retired':
    case 'retiring':
      return 'idle';
    default:
      return held !== undefined || (hold !== undefined && needsPerson.has(hold.reason)) ? 'held' : 'releasing';
  }
}
