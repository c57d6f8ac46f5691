import { HeadgateError } from '../errors.ts';

/**
 * Whatever is asked below says why it cannot, and here that means that whoever runs the lanes cannot be reached. A driver that was
 * replaced is told so as it is.
 * @throws {HeadgateError} `WORKLOAD_UNREACHABLE`, `LOCK_HELD`
 */
export async function saidAsWorkload<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await act();
  } catch (cause) {
    if (!(cause instanceof HeadgateError) || cause.code === 'LOCK_HELD') throw cause;
    throw new HeadgateError('WORKLOAD_UNREACHABLE', cause.message, { hint: cause.hint, cause });
  }
}
