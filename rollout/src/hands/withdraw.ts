import { isOver } from '../policy/phase.ts';
import type { Order } from '../policy/release.ts';
import { addWish, type Hands, headOf } from './hands.ts';

/** CI hosts kill 10 s after they told a process to go. */
const withdrawMaxMs = 3_000;

/** Takes an order out of the queue: from the box, or, where whoever drives has noted it, from the journal. */
export async function withdraw(hands: Hands, order: Order, wish: string): Promise<void> {
  const last = { ...hands, signal: AbortSignal.timeout(withdrawMaxMs) }; // This process may have been told to go.
  try {
    await last.ports.wishes.remove([wish], last.signal);
    const { release } = await headOf(last);
    if (release === undefined || isOver(release.state.phase)) return; // Nobody would hear it; what begins next begins the queue anew.
    await addWish(last, { kind: 'release', order, withdraws: wish });
  } catch {
    hands.say('its order could not be taken back: `headgate status` names it until another release begins');
  }
}
