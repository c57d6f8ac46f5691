import type { Ended } from './release.ts';

/** What its end fails with where it went back; `undefined`: it did not. No gate stops a rolling update: users met what did not come up. */
export function failureOfEnd({ outcome, strategy }: Pick<Ended, 'outcome' | 'strategy'>) {
  if (outcome !== 'rolledBack') return undefined;
  return strategy === 'rolling' ? 'UPDATE_FAILED' : 'ROLLED_BACK';
}
