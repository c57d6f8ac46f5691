import type { Wish, WishBox } from '../journal/journal.ts';
import type { Act, WishSeen } from '../policy/look.ts';
import type { Order, Waiting } from '../policy/release.ts';

/** What somebody asks of the driver, as it lies in the wish box. */
export type WishAct =
  | { readonly kind: Act; readonly release: number | null; readonly step: number | null; readonly reason: string }
  /** A release waits for the running one; the newest wins. */
  | { readonly kind: 'release'; readonly order: Order };

/** The wishes of one look, sorted by who answers them. */
export type Heard = {
  readonly forRelease: readonly WishSeen[];
  readonly waiting: readonly Waiting[];
  readonly ids: readonly string[];
};

const acts: readonly string[] = ['promote', 'step', 'rollback', 'hold', 'resume'] satisfies readonly Act[];

export async function hear(wishes: WishBox, signal: AbortSignal): Promise<Heard> {
  const all = await wishes.read(signal);
  return {
    forRelease: all.flatMap(toSeen),
    waiting: all.flatMap(toWaiting),
    ids: all.map(({ id }) => id),
  };
}

function toSeen({ id, act, actor }: Wish): readonly WishSeen[] {
  if (!acts.includes(kindOf(act))) return [];
  const { kind, release, step, reason } = act as Exclude<WishAct, { kind: 'release' }>; // `acts` has just been asked.
  return [{ id, act: kind, release: release ?? undefined, step: step ?? undefined, actor, reason }];
}

function toWaiting({ id, act }: Wish): readonly Waiting[] {
  return kindOf(act) === 'release' ? [{ id, order: (act as unknown as { order: Order }).order }] : []; // Made by `addWish`.
}

function kindOf(act: Wish['act']): string {
  return act !== null && typeof act === 'object' && 'kind' in act ? String(act['kind']) : '';
}
