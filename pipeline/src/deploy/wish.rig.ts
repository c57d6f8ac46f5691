import { setTimeout as sleep } from 'node:timers/promises';
import type { Records } from '@headgate/rollout';

/** The first wish that lies in the box, as soon as there is one. */
export async function wishIn(wishes: Records['wishes']): Promise<string> {
  for (const signal = AbortSignal.timeout(10_000); ; ) {
    const [wish] = await wishes.read(signal);
    if (wish !== undefined) return wish.id;
    await sleep(20, undefined, { signal });
  }
}
