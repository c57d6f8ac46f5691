import type { Instant } from '../lane.ts';
import type { Look } from '../policy/look.ts';
import type { HoldReason } from '../policy/phase.ts';
import type { Decision, Head, Release } from '../policy/release.ts';

/** What the engine tells. Presenters turn these into lines, annotations or JSON; nobody parses text. */
export type Occurrence =
  /** A decision that is in the journal now. */
  | { readonly kind: 'decided'; readonly at: Instant; readonly release: Release; readonly decision: Decision }
  /** Every look, for whoever shows a live picture. */
  | {
      readonly kind: 'looked';
      readonly at: Instant;
      readonly head: Head;
      readonly look: Look;
      readonly decision: Decision;
    }
  /** Why a release does not go on: at first, when that changes, and now and then while it stays. When it goes on, that is decided. */
  | {
      readonly kind: 'held';
      readonly at: Instant;
      readonly release: Release;
      readonly reason: HoldReason;
      readonly why: string;
    }
  /** A command did not get through. It is asked again at the next look. */
  | { readonly kind: 'commandFailed'; readonly at: Instant; readonly command: string; readonly message: string }
  /** A part of the world could not be seen. */
  | { readonly kind: 'unseen'; readonly at: Instant; readonly port: Port; readonly message: string };

export type Port = 'traffic' | 'workload' | 'queue' | 'metrics' | 'wishes';

export type Emit = (occurrence: Occurrence) => void;

/** Tells one, then the other. */
export function both(one: Emit, other: Emit): Emit {
  return (occurrence) => {
    one(occurrence);
    other(occurrence);
  };
}
