import { HeadgateError } from '../errors.ts';

/** Why a lease's `lost` aborts. */
export function lockLost(what: string): HeadgateError {
  return new HeadgateError(
    'LOCK_HELD',
    `Cannot go on as ${what} is no longer ours: it was not renewed in time, or somebody took it`,
    { hint: 'run `headgate status`; `headgate wait` goes on with what has no driver' },
  );
}
