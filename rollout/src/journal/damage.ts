import { HeadgateError } from '../errors.ts';

/** A file of the journal that does not hold what we wrote. */
export function unreadable(place: string, text: string, hint: string, cause?: unknown): HeadgateError {
  return new HeadgateError(
    'JOURNAL_UNREADABLE',
    `Cannot read "${place}" as it must hold what Headgate wrote: current value is ${JSON.stringify(text.slice(0, 80))}`,
    { hint, cause },
  );
}

/** Begins nothing after an abort. Gives failures of the disk their name; what already has one passes. */
export async function writing<T>(what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await act();
  } catch (error) {
    throw named(error, 'JOURNAL_UNWRITABLE', `Cannot write ${what} as the disk must take it`);
  }
}

/** As `writing`, for reads. */
export async function reading<T>(what: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await act();
  } catch (error) {
    throw named(error, 'JOURNAL_UNREADABLE', `Cannot read ${what} as the disk must give it`);
  }
}

function named(error: unknown, code: 'JOURNAL_UNWRITABLE' | 'JOURNAL_UNREADABLE', message: string): unknown {
  // Only failures of the operating system carry an errno: an abort or a bug of ours keeps its own face.
  if (!(typeof error === 'object' && error !== null && 'errno' in error)) return error;
  return new HeadgateError(code, `${message}: current value is "${String(error)}"`, {
    hint: 'check space and rights of the folder',
    cause: error,
  });
}
