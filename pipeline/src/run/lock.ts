import { firstOf, HeadgateError } from '@headgate/rollout';
import type { EffectStep } from '../step.ts';
import type { Session } from './session.ts';

/** Holds the step's lock, if it has one, while it looks and acts; once that is lost its signal aborts. @throws {HeadgateError} `LOCK_HELD` */
export async function underLock<T>(
  { id, lock }: EffectStep,
  session: Session,
  act: (session: Session) => Promise<T>,
): Promise<T> {
  if (lock === undefined) return act(session);
  const acquired = await lock.acquire(session.change.actor, session.signal);
  if (acquired.kind === 'busy')
    throw new HeadgateError('LOCK_HELD', `Cannot run ${id} as ${acquired.holder} holds its lock`, {
      hint: 'run it again when that has ended',
    });
  await using lease = acquired.lease;
  try {
    return await act({ ...session, signal: firstOf([session.signal, lease.lost]) });
  } catch (error) {
    if (!lease.lost.aborted || session.signal.aborted) throw error;
    throw new HeadgateError('LOCK_HELD', `Cannot go on with ${id} as its lock was taken from it`, {
      hint: 'run it again: it looks what is done before it acts',
      cause: error,
    });
  }
}
