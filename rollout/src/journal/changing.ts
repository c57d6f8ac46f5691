import { setTimeout as sleep } from 'node:timers/promises';
import { HeadgateError } from '../errors.ts';
import { type Claim, claimAfter, readClaim, release } from './claims.ts';
import { isAlive, ownMark, pidOf } from './process-mark.ts';

/** A change takes milliseconds; who waits this long waits for a stopped process. */
const waitMsMax = 10_000;
const pollMs = 3;

/**
 * Runs `change` while nobody else, in this process or another one, changes the files that `folder` guards.
 * A dead process's lock is taken over at once; a living one's never.
 * @throws {HeadgateError} `JOURNAL_UNWRITABLE` after 10 s
 */
export async function whileNobodyElse<T>(folder: string, change: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const claim = await take(folder, signal);
  try {
    return await change(); // Without the signal: a change that has begun is finished.
  } finally {
    await release(claim, folder);
  }
}

async function take(folder: string, signal: AbortSignal): Promise<Claim> {
  const mark = await ownMark();
  const until = performance.now() + waitMsMax;
  for (;;) {
    signal.throwIfAborted();
    const seen = await readClaim(folder);
    if (seen.text === undefined || !(await isAlive(seen.text))) {
      const claim = await claimAfter(seen, folder, mark);
      if (claim !== undefined) return claim;
    } else if (performance.now() > until) {
      throw waitedTooLong(folder, pidOf(seen.text));
    }
    await sleep(pollMs, undefined, { signal });
  }
}

function waitedTooLong(folder: string, pid: number): HeadgateError {
  return new HeadgateError(
    'JOURNAL_UNWRITABLE',
    `Cannot change the journal as its lock "${folder}" must be free within ${waitMsMax / 1_000} s: current value is "held by process ${pid}"`,
    { hint: `let process ${pid} go on (\`kill -CONT ${pid}\`) or end it` },
  );
}
