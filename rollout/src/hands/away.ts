import { setTimeout as sleep } from 'node:timers/promises';
import { isUnreachable } from '../errors.ts';
import type { Head } from '../policy/release.ts';
import { type Hands, headOf, pollMs } from './hands.ts';

/** For so long a command that only waits believes that the journal comes back: what it waits for goes on without it. */
const awayMaxMs = 10 * 60_000;

/** The head, as soon as it can be read again. @throws what reading throws, once that has been so for `leftMs` or 10 minutes */
export async function headAgain(hands: Hands, leftMs = awayMaxMs): Promise<Head> {
  const maxMs = Math.min(leftMs, awayMaxMs);
  const begun = performance.now();
  for (let said = false; ; said = true) {
    try {
      return await headOf(hands);
    } catch (error) {
      if (!isUnreachable(error) || performance.now() - begun >= maxMs) throw error;
      if (!said)
        hands.say('the journal cannot be read; this command waits until it can, whoever drives goes on meanwhile');
    }
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}
