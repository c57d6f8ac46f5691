import { setTimeout as sleep } from 'node:timers/promises';

/** Asks ten times a second until it is so. @throws when `within` aborts before */
export async function until(holds: () => boolean | Promise<boolean>, within: AbortSignal): Promise<void> {
  while (!(await holds())) await sleep(100, undefined, { signal: within });
}
