import { setTimeout as sleep } from 'node:timers/promises';
import { firstOf, withDeadline } from '../deadline.ts';
import type { Platform } from '../platform/platform.ts';
import type { Head } from '../policy/release.ts';
import { hear, unheard } from './wishes.ts';

/** Where nobody brings news. */
const listenEveryMs = 250;

/** Ends early when it is told to go, and at news; where there are none, when somebody asks for something. */
export async function pause(
  ms: number,
  { fresh, signal }: { readonly fresh: AbortSignal | undefined; readonly signal: AbortSignal },
  listen: (within: AbortSignal) => Promise<boolean>,
): Promise<void> {
  const within = withDeadline(firstOf([signal, ...(fresh === undefined ? [] : [fresh])]), ms);
  const everyMs = fresh === undefined ? listenEveryMs : ms;
  while (!within.aborted) {
    await sleep(everyMs, undefined, { signal: within }).catch(() => undefined);
    if (fresh === undefined && !within.aborted && (await listen(within))) return;
  }
}

/** Wishes that cannot be read now are heard by the look. */
export async function isAsked({ wishes }: Platform, head: Head, signal: AbortSignal): Promise<boolean> {
  const heard = await hear(wishes, signal).catch(() => undefined);
  return (
    heard !== undefined &&
    (heard.waiting.length + heard.unknown.length > 0 || unheard(heard.forRelease, head).length > 0)
  );
}
