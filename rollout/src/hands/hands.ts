import { readHead } from '../engine/book.ts';
import type { Emit } from '../engine/occurrence.ts';
import type { WishAct } from '../engine/wishes.ts';
import type { Drive, Driven, Pace } from '../engine.ts';
import type { Json, Lease } from '../journal/journal.ts';
import { type Instant, instant } from '../lane.ts';
import type { Platform } from '../platform/platform.ts';
import type { Head, Release } from '../policy/release.ts';
import type { Spec } from '../spec.ts';

/** What a person or CI has in hand: one app's ports, and how to tell what happens. */
export type Hands = {
  readonly ports: Platform;
  readonly spec: Spec;
  /** The ports that another spec of the app names; nothing is made for it. */
  readonly open: (spec: Spec) => Promise<Platform>;
  /** `user@host`, `actions/<run>/<attempt>` or `jenkins/<job>/<n>`. */
  readonly actor: string;
  readonly emit: Emit;
  /** Says one sentence to whoever waits. */
  readonly say: (text: string) => void;
  /** Aborts when this process is told to go. */
  readonly signal: AbortSignal;
  /** For tests that have no time. */
  readonly pace?: Pace;
};

/** How an act ended. `release` is the one it was about, where there is one. */
export type Handled =
  | { readonly kind: 'ended'; readonly head: Head; readonly release: number }
  /** Handed over: the controller sees it to its end. */
  | { readonly kind: 'begun'; readonly release: number; readonly text: string }
  /** Not promoted by its deadline: whoever drives it goes on, and a person decides. */
  | { readonly kind: 'held'; readonly release: number; readonly text: string }
  /** The way back cannot be gone to its end: somebody must be called. */
  | { readonly kind: 'stuck'; readonly release: number; readonly text: string }
  | { readonly kind: 'done'; readonly head: Head; readonly text: string }
  | { readonly kind: 'nothing' | 'superseded'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: 'REFUSED' | 'QUARANTINED'; readonly text: string }
  /** `text`: what is left behind. */
  | { readonly kind: 'interrupted'; readonly head: Head; readonly text: string };

/** How often somebody who waits looks at the journal. */
export const pollMs = 150;
/** A wish that nobody takes up for so long is worth a word. */
export const quietMs = 2_000;

/** The controller alone drives: everybody else writes wishes and waits. */
export function hasController({ spec }: Hands): boolean {
  return spec.kubernetes?.driver === 'controller';
}

/** A driver was told to go: what it drove is safe without one. */
function interruptedAt(head: Head): Handled {
  return { kind: 'interrupted', head, text: 'the candidate is at 0 %' };
}

/** What whoever is called hears. */
export function stuckAt(release: Release, why: string): Handled {
  const text = `release ${release.id} cannot be rolled back: ${why}. Take that away and run \`headgate rollback\` again`;
  return { kind: 'stuck', release: release.id, text };
}

/** A driver that went before the end. */
export function leftBy(driven: Driven): Handled | undefined {
  if (driven.kind === 'interrupted') return interruptedAt(driven.head);
  if (driven.kind === 'stuck' && driven.head.release !== undefined) return stuckAt(driven.head.release, driven.why);
  return undefined;
}

export function headOf({ ports, spec, signal }: Hands): Promise<Head> {
  return readHead(ports.journal, spec.app, signal);
}

/** Everything that driving needs, once these hands hold the lock. */
export function drivingWith(hands: Hands, lease: Lease): Drive {
  const { app, release } = hands.spec;
  return { ...hands, app, spec: release, lease, givesUp: true };
}

export function addWish(hands: Hands, wish: WishAct): Promise<string> {
  return hands.ports.wishes.add({ act: wish as unknown as Json, actor: hands.actor, at: Date.now() }, hands.signal);
}

export function systemNow(): Instant {
  return instant(Date.now());
}
