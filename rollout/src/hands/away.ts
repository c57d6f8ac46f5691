import { setTimeout as sleep } from 'node:timers/promises';
import { isUnreachable } from '../errors.ts';
import type { Head } from '../policy/release.ts';
import { type Hands, headOf, pollMs } from './hands.ts';

/** For so long a command that only waits believes that the journal comes back: what it waits for goes on without it. */
const awayMaxMs = 10 * 60_000;

/** The head, as soon as it can be read again. @throws as `answerAgain` */
export function headAgain(hands: Hands, leftMs = awayMaxMs): Promise<Head> {
  return answerAgain(hands, () => headOf(hands), leftMs);
}

/** For what may be asked twice. @throws what asking throws, once a cluster has been away for `leftMs` or 10 minutes */
export async function answerAgain<T>(hands: Hands, ask: () => Promise<T>, leftMs = awayMaxMs): Promise<T> {
  const maxMs = Math.min(leftMs, awayMaxMs);
  const begun = performance.now();
  for (let said = false; ; said = true) {
    try {
      return await ask();
    } catch (error) {
      if (!isUnreachable(error) || performance.now() - begun >= maxMs) throw error;
      if (!said)
        hands.say('the journal cannot be read; this command waits until it can, whoever drives goes on meanwhile');
    }
    await sleep(pollMs, undefined, { signal: hands.signal });
  }
}
