import type { Wish, WishBox } from '../journal/journal.ts';
import type { Marker } from '../pin.ts';
import type { Act, WishSeen } from '../policy/look.ts';
import type { Head, Waiting, WishAnswer } from '../policy/release.ts';
import { noteWaiting, withAnswers } from '../policy/waiting.ts';

/** What somebody asks of the driver, as it lies in the wish box. */
export type WishAct =
  | (Asked & { readonly kind: Act; readonly step: number | null })
  | (Asked & { readonly kind: 'pin'; readonly marker: Marker; readonly to: string })
  | (Asked & { readonly kind: 'unpin'; readonly marker: Marker })
  /** A release waits for the running one; the newest wins. */
  | ({ readonly kind: 'release' } & Omit<Waiting, 'id' | 'joined'>);

type Asked = { readonly release: number | null; readonly reason: string };

/** The wishes of one look, sorted by who answers them. */
export type Heard = {
  readonly forRelease: readonly WishSeen[];
  readonly waiting: readonly Waiting[];
  /** What no driver of this version can do, with its answer. */
  readonly unknown: readonly WishAnswer[];
  readonly ids: readonly string[];
};

const acts: readonly string[] = [
  'promote',
  'step',
  'rollback',
  'hold',
  'resume',
  'pin',
  'unpin',
] satisfies readonly WishSeen['act'][];

export async function hear(wishes: WishBox, signal: AbortSignal): Promise<Heard> {
  const all = await wishes.read(signal);
  return {
    forRelease: all.flatMap(toSeen),
    waiting: all.flatMap(toWaiting),
    unknown: all.flatMap(toUnknown),
    ids: all.map(({ id }) => id),
  };
}

/** What of it needs no release: orders take their place, and the unknown is refused. */
export function note(head: Head, { waiting, unknown }: Heard): Head {
  const noted = noteWaiting(head, waiting);
  const known = noted.answers.map(({ id }) => id);
  return withAnswers(
    noted,
    unknown.filter(({ id }) => !known.includes(id)),
  );
}

/** Wishes that the journal does not know: a removal whose answer was lost leaves behind what has been answered, or is being done. */
export function unheard(wishes: readonly WishSeen[], { answers, release }: Head): readonly WishSeen[] {
  const known = new Set<string | undefined>([
    ...answers.map(({ id }) => id),
    ...(release?.state.pins ?? []).map(({ wish }) => wish),
  ]);
  return wishes.filter(({ id }) => !known.has(id));
}

function toSeen({ id, act, actor }: Wish): readonly WishSeen[] {
  if (!acts.includes(kindOf(act))) return [];
  const wish = act as Exclude<WishAct, { kind: 'release' }>; // `acts` has just been asked.
  const asked = { id, release: wish.release ?? undefined, actor, reason: wish.reason };
  switch (wish.kind) {
    case 'pin':
      return [{ ...asked, act: wish.kind, marker: wish.marker, to: wish.to }];
    case 'unpin':
      return [{ ...asked, act: wish.kind, marker: wish.marker }];
    default:
      return [{ ...asked, act: wish.kind, step: wish.step ?? undefined }];
  }
}

function toWaiting({ id, act }: Wish): readonly Waiting[] {
  if (!isOrder(act)) return [];
  const { kind: _, ...asked } = act as unknown as Extract<WishAct, { kind: 'release' }>; // Made by `addWish`.
  return [{ id, ...asked }];
}

function toUnknown({ id, act }: Wish): readonly WishAnswer[] {
  const kind = kindOf(act);
  if (isOrder(act) || acts.includes(kind)) return [];
  const text = `Cannot do this as whoever drives must know the act: current value is "${kind}"; it is older than the command that asked, or nobody knows it`;
  return [{ id, kind: 'refused', text }];
}

/** A release that names no order, as a hand may have put it there, is none. */
function isOrder(act: Wish['act']): boolean {
  return kindOf(act) === 'release' && act !== null && typeof act === 'object' && 'order' in act;
}

function kindOf(act: Wish['act']): string {
  return act !== null && typeof act === 'object' && 'kind' in act ? String(act['kind']) : '';
}
